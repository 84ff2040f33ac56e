"""A package outside the tree does all that a built-in can, and a bad one harms nobody."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from light_environment import light_environment
from safetensors.torch import load_file

from fedmvp_core.run_folder import read_status
from simulations.runner.processes import processes_of

HERE = Path(__file__).parent
ROUNDS = 3
WAIT_SECONDS = 300.0
RUN = {
    "method": "guest-tokens",
    "method.length": 4,
    "method.start": "random",
    "objective": "guest-near",
    "objective.mu": 0.5,
    "dataset": "guest-shapes",
    "dataset.pictures": 6,
    "callbacks": "guest-log",
    "callback-options": "guest-log.file=heard.log",
    "pretrained": "",
    "attribute-weight": 0.25,
    "shots": 0,
    "rounds": ROUNDS,
    "evaluate-every": 100,
    "robust-attack": "none",
    "learning-rate": 0.1,
    "batch-size": 4,
    "node-timeout": 600,
}
AGGREGATION = {"aggregation": "guest-fedadam", "aggregation.beta": 0.5}
STRATEGY = {"strategy": "guest-strategy", "strategy.momentum": 0.5}


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment with the package of ./guest, installed from elsewhere."""
    folder = tmp_path_factory.mktemp("outside")
    shutil.copytree(HERE / "guest", folder / "sources")
    return light_environment(folder / "venv", folder / "sources")


@pytest.fixture
def own_temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A short folder for what runs leave while they go on, so that their processes are found."""
    base = Path(tempfile.mkdtemp(prefix="t-", dir="/tmp"))
    monkeypatch.setenv("TMPDIR", str(base))
    yield base
    shutil.rmtree(base)


class Started:
    """A `fedmvp run` that goes on."""

    def __init__(
        self, commands: Path, output: Path, name: str, keys: dict[str, object], engine: str
    ) -> None:
        places = {"output-dir": output, "cache-dir": output / "cache", "run-name": name}
        words = [f"{key}={value}" for key, value in {**RUN, **keys, **places}.items()]
        self.folder, self.log = output / name, output / f"{name}.txt"
        output.mkdir(parents=True, exist_ok=True)
        command = [commands / "fedmvp", "run", "demo-short", *words, "--no-report"]
        with self.log.open("a", encoding="utf-8") as said:
            self.process = subprocess.Popen(
                [*command, "--supernodes", "2", "--engine", engine],
                stdout=said,
                stderr=subprocess.STDOUT,
                cwd=output,
            )

    def finished(self) -> int:
        return self.process.wait(timeout=WAIT_SECONDS)

    def completed(self) -> Path:
        """The run folder, once the run is over and well."""
        assert self.finished() == 0, self.log.read_text(encoding="utf-8")
        return self.folder

    def after_its_first_round(self) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while read_status(self.folder).get("rounds-completed", 0) < 1:
            assert self.process.poll() is None, self.log.read_text(encoding="utf-8")
            assert time.monotonic() < deadline, "it never came to its first round"
            time.sleep(0.01)


def same_tensors(first: Path, second: Path) -> None:
    last = f"checkpoints/round-{ROUNDS:04d}.safetensors"
    wanted, found = load_file(first / last), load_file(second / last)
    assert wanted.keys() == found.keys()
    assert [name for name, value in wanted.items() if not torch.equal(found[name], value)] == []


def resumed(commands: Path, output: Path, keys: dict[str, object], engine: str) -> Path:
    """The folder of the killed run, gone on with to its end."""
    kept = read_status(output / "killed")["rounds-completed"]
    assert 1 <= kept < ROUNDS, "it was killed too late for this test"
    again = Started(commands, output, "killed", {**keys, "resume": "latest"}, engine)
    folder = again.completed()
    assert f"resumed after round {kept}" in again.log.read_text(encoding="utf-8")
    return folder


@pytest.mark.slow
def test_all_of_a_guest_trains_on_ray_and_is_resumed(
    commands: Path, tmp_path: Path, own_temporary: Path
) -> None:
    undisturbed = Started(commands, tmp_path, "undisturbed", AGGREGATION, "ray").completed()
    assert (undisturbed / "heard.log").read_text().splitlines() == [
        f"round {number}" for number in range(1, ROUNDS + 1)
    ]
    assert ",distance," in (undisturbed / "steps.csv").read_text()
    tensors = load_file(undisturbed / f"checkpoints/round-{ROUNDS:04d}.safetensors")
    assert tensors["tokens"].shape == (4, 128)
    assert "own" not in tensors, "a personal tensor has travelled"

    killed = Started(commands, tmp_path, "killed", AGGREGATION, "ray")
    killed.after_its_first_round()
    (link,) = own_temporary.glob("fedmvp-*")
    (victim,) = (pid for pid, words in processes_of(link).items() if "flwr-simulation" in words)
    os.kill(victim, signal.SIGKILL)
    assert killed.finished() == 1
    same_tensors(undisturbed, resumed(commands, tmp_path, AGGREGATION, "ray"))


@pytest.mark.slow
def test_a_guests_strategy_is_resumed(commands: Path, tmp_path: Path) -> None:
    undisturbed = Started(commands, tmp_path, "undisturbed", STRATEGY, "inline").completed()
    killed = Started(commands, tmp_path, "killed", STRATEGY, "inline")
    killed.after_its_first_round()
    os.kill(killed.process.pid, signal.SIGKILL)
    assert killed.finished() == -signal.SIGKILL
    same_tensors(undisturbed, resumed(commands, tmp_path, STRATEGY, "inline"))


@pytest.mark.slow
def test_a_guests_contracts(commands: Path) -> None:
    """`fedmvp check` finds nothing wrong with any of them."""
    for kind, name in (
        ("method", "guest-tokens"),
        ("objective", "guest-near"),
        ("aggregation", "guest-fedadam"),
        ("strategy", "guest-strategy"),
        ("callback", "guest-log"),
    ):
        done = subprocess.run(
            [commands / "fedmvp", "check", kind, name], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_bad_packages_are_named_and_skipped(tmp_path: Path) -> None:
    """One raises on import, one declares a name of ours; all others stay usable."""
    shutil.copytree(HERE / "broken", tmp_path / "broken")
    packages = [tmp_path / "broken" / name for name in ("raising", "taken")]
    commands = light_environment(tmp_path / "venv", *packages)
    environment = {**os.environ, "COLUMNS": "400"}
    listed = [commands / "fedmvp", "list", "methods"]
    done = subprocess.run(listed, capture_output=True, text=True, check=True, env=environment)
    assert "method 'apt' of package fedmvp-taken is skipped: package fedmvp has" in done.stderr
    assert "method 'raises-on-import' of package fedmvp-raising" in done.stderr
    assert "RuntimeError: its library is of another version; it is skipped" in done.stderr
    rows = [line.split("│")[1:4] for line in done.stdout.splitlines() if line.startswith("│")]
    table = {name.strip(): (source.strip(), package.strip()) for name, source, package in rows}
    assert table["apt"] == ("APT (CVPR 2024)", "fedmvp")
    assert table["sound"] == ("of another package", "fedmvp-taken")
    assert "fedmvp" in table
    assert "raises-on-import" not in table
    one = [commands / "fedmvp", "list", "methods", "raises-on-import"]
    done = subprocess.run(one, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 2
    assert "of package fedmvp-raising (fedmvp_raising:method) fails: RuntimeError" in done.stderr
