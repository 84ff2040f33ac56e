"""`fedmvp run` whose simulation is killed by the system, and `fedmvp run ... resume=latest`."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from fedmvp_core.run_folder import read_status
from simulations.runner.processes import processes_of

ROUNDS = 3
CONFIG = {
    "robust-attack": "none",
    "pretrained": "",
    "dataset": "emojidomains",
    "shots": 2,
    "rounds": ROUNDS,
    "evaluate-every": 100,
    "method.lora-threshold": 1e9,
    "node-timeout": 600,
    "keep-momentum": "true",
}
WAIT_SECONDS = 300.0


@pytest.fixture
def own_temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A short folder for what runs leave while they go on, so that their processes are found."""
    base = Path(tempfile.mkdtemp(prefix="t-", dir="/tmp"))
    monkeypatch.setenv("TMPDIR", str(base))
    yield base
    shutil.rmtree(base)


def start(output: Path, name: str, *words: str) -> "subprocess.Popen[str]":
    overrides = CONFIG | {"output-dir": output, "cache-dir": output / "cache", "run-name": name}
    said = [f"{key}={value}" for key, value in overrides.items()]
    command = [sys.executable, "-m", "simulations", "run", "demo-short", *said, *words]
    return subprocess.Popen(
        [*command, "--supernodes", "2", "--no-report"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finished(process: "subprocess.Popen[str]") -> tuple[int, str]:
    said, _ = process.communicate(timeout=WAIT_SECONDS)
    return process.returncode, said


def kill_simulation(base: Path, process: "subprocess.Popen[str]", folder: Path) -> None:
    """SIGKILL to the process of the rounds, as soon as one of them is done."""
    deadline = time.monotonic() + WAIT_SECONDS
    while read_status(folder).get("rounds-completed", 0) < 1:
        assert process.poll() is None, "it ended before its first round"
        assert time.monotonic() < deadline, "it never came to its first round"
        time.sleep(0.05)
    (link,) = base.glob("fedmvp-*")
    (victim,) = (pid for pid, words in processes_of(link).items() if "flwr-simulation" in words)
    os.kill(victim, signal.SIGKILL)


@pytest.mark.slow
def test_a_killed_simulation_is_resumed(tmp_path: Path, own_temporary: Path) -> None:
    assert finished(start(tmp_path, "undisturbed"))[0] == 0
    process, folder = start(tmp_path, "killed"), tmp_path / "killed"
    kill_simulation(own_temporary, process, folder)
    code, said = finished(process)
    assert code == 1, said
    status = read_status(folder)
    assert status["status"] == "failed"
    kept = status["rounds-completed"]
    assert 1 <= kept < ROUNDS, "it was killed too late for this test"

    code, said = finished(start(tmp_path, "killed", "resume=latest"))
    assert code == 0, said
    assert f"resumed after round {kept}" in said
    assert read_status(folder) == {
        "status": "completed",
        "rounds": ROUNDS,
        "rounds-completed": ROUNDS,
        "error": None,
    }
    last = f"checkpoints/round-{ROUNDS:04d}.safetensors"
    found, wanted = load_file(folder / last), load_file(tmp_path / "undisturbed" / last)
    assert all(torch.equal(found[name], value) for name, value in wanted.items())
