"""Real runs with the real app: they end well, badly and early, and leave no process."""

import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import pytest

from fedmvp_core.run_folder import read_status
from simulations.runner.environment import clean_environment
from simulations.runner.named_runs import load_named_run
from simulations.runner.planning import plan_run
from simulations.runner.simulate import run_simulation

# Random weights are enough here, and two pictures of a class.
SMALL = {
    "robust-attack": "none",
    "pretrained": "",
    "dataset": "emojidomains",
    "shots": 2,
    "rounds": 1,
    "batch-size": 32,
    "node-timeout": 600,
}
FLOWER_DEFAULT_PORT = 39091


def plan_in(folder: Path, **overrides):
    config = {**SMALL, "output-dir": str(folder), "cache-dir": str(folder / "cache"), **overrides}
    return plan_run(load_named_run("demo-short"), config, supernodes=2)


def run_in(folder: Path, **overrides):
    plan, events = plan_in(folder, **overrides), []
    outcome = run_simulation(plan.config, plan.supernodes, plan.resources, events.append)
    return outcome, events


@pytest.fixture
def nothing_stays(monkeypatch, tmp_path):
    """What a test starts has ended, and its temporary folder is gone, when it ends."""
    # Short, since Ray's sockets lie below it; and not where tmp_path, made before, lies.
    base = Path(tempfile.mkdtemp(prefix="t-", dir="/tmp"))
    monkeypatch.setenv("TMPDIR", str(base))
    monkeypatch.setattr(tempfile, "tempdir", str(base))
    yield
    left = [*base.iterdir(), *processes_below(base)]
    shutil.rmtree(base)
    assert not left


def processes_below(folder: Path) -> list[str]:
    """Command lines of the processes whose environment says that they belong below a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            environment = (entry / "environ").read_bytes() if entry.name.isdigit() else b""
            if f"FLWR_HOME={folder}/".encode() in environment:
                found.append((entry / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


@pytest.fixture
def foreign_superlink(tmp_path):
    """Another project's SuperLink on Flower's default port, with a client_app of its own."""
    folder = tmp_path / "foreign"
    (folder / "client_app").mkdir(parents=True)
    (folder / "client_app" / "__init__.py").write_text("raise RuntimeError('foreign code')")
    program = Path(sys.executable).parent / "flower-superlink"
    port = str(FLOWER_DEFAULT_PORT)
    process = subprocess.Popen(
        [program, "--insecure", "--simulation", "--host", "127.0.0.1", "--port", port],
        cwd=folder,
        env=clean_environment(folder),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_until_healthy(FLOWER_DEFAULT_PORT)
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


def wait_until_healthy(port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).close()
            return
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.2)


@pytest.mark.slow
@pytest.mark.usefixtures("nothing_stays", "foreign_superlink")
def test_a_run_completes_whatever_superlink_is_there_already(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path / "foreign")
    monkeypatch.setenv("FLWR_LOCAL_SUPERLINK_HTTP_API_PORT", str(FLOWER_DEFAULT_PORT))
    outcome, events = run_in(tmp_path)
    assert (outcome.status, outcome.error, outcome.rounds_completed) == ("completed", None, 1)
    kinds = [event["event"] for event in events]
    in_a_round = ["asked", "answered", "answered", "round"]
    assert kinds == ["starting", "start", "evaluation", *in_a_round, "evaluation", "end"]
    assert events[6]["clients"] == 2
    assert (outcome.folder / "checkpoints" / "round-0001.safetensors").exists()
    assert "foreign code" not in (outcome.folder / "app.log").read_text()


@pytest.mark.usefixtures("nothing_stays")
def test_a_failing_server_is_quoted(tmp_path):
    broken = tmp_path / "broken.json"
    broken.write_text("{", encoding="utf-8")
    outcome, events = run_in(tmp_path, attributes=str(broken))
    assert outcome.status == "failed"
    assert outcome.error is not None
    assert str(broken) in outcome.error
    assert events[-1]["event"] == "end"


@pytest.mark.slow
@pytest.mark.usefixtures("nothing_stays")
def test_ctrl_c_ends_a_run_in_order(tmp_path):
    overrides = {**SMALL, "rounds": 500, "output-dir": str(tmp_path)}
    words = [f"{key}={value}" for key, value in overrides.items()]
    process = subprocess.Popen(
        [sys.executable, "-m", "simulations", "run", "demo-short", *words, "--supernodes", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # A shell makes what it starts in the background deaf to Ctrl-C, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # type: ignore[arg-type]
    )
    folder = tmp_path / "demo-short"
    try:
        wait_for_first_round(process, folder)
    finally:
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert str(folder) in said.splitlines()[-1]
    assert "Traceback" not in said
    status = read_status(folder)
    assert status["status"] == "interrupted"
    checkpoint = folder / "checkpoints" / f"round-{status['rounds-completed']:04d}.safetensors"
    assert checkpoint.exists()


def wait_for_first_round(process: "subprocess.Popen[str]", folder: Path) -> None:
    deadline = time.monotonic() + 300
    while read_status(folder).get("rounds-completed", 0) < 1:
        assert process.poll() is None, "it ended before its first round"
        assert time.monotonic() < deadline, "it never came to its first round"
        time.sleep(0.2)
