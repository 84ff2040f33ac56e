"""Kills a run's process and fills its disk at chosen rounds, and takes the run up each time."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from fedmvp_core.errors import FedMVPError
from fedmvp_core.run_folder import CHECKPOINTS

KILL, FILL = "the server is killed", "the disk is full"
NO_SPACE = "no space is left"
_GLANCE_SECONDS = 0.02
_FILLER = "filler"


def play_undisturbed(arguments: Sequence[str]) -> None:
    """One run from its start to its end.

    Raises:
        FedMVPError: it did not complete.
    """
    process = _start(arguments)
    told, _ = process.communicate()
    if process.returncode:
        raise FedMVPError(f"the undisturbed run did not complete: {told}")


def play_disturbed(
    arguments: Sequence[str], folder: Path, name: str, disturbances: Sequence[tuple[int, str]]
) -> list[tuple[int, str, int]]:
    """The same run, broken off after each of these rounds; returns where each was taken up.

    folder: what holds the run, on a disk of its own, which is filled.
    disturbances: (round, KILL or FILL), in the order of the rounds.

    Raises:
        FedMVPError: a disturbance did not end the process, or the run ended before it.
    """
    taken_up = []
    for round, kind in disturbances:
        process = _start(arguments)
        _await_round(process, folder / name, round)
        if kind == KILL:
            process.send_signal(signal.SIGKILL)
        else:
            _fill(folder)
        told, _ = process.communicate()
        (folder / _FILLER).unlink(missing_ok=True)
        if kind == FILL and NO_SPACE not in told:
            raise FedMVPError(f"the disk was filled in round {round}, and the run said: {told}")
        taken_up.append((round, kind, last_round(folder / name)))
    play_undisturbed(arguments)
    return taken_up


def last_round(run: Path) -> int:
    """The last round whose tensors are on disk; -1 before the first."""
    kept = (run / CHECKPOINTS).glob("round-*.safetensors")
    return max((int(path.stem.removeprefix("round-")) for path in kept), default=-1)


def _start(arguments: Sequence[str]) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "simulations.benchmarks.long_haul.play", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def _await_round(process: "subprocess.Popen[str]", run: Path, round: int) -> None:
    while not (run / CHECKPOINTS / f"round-{round:04d}.safetensors").exists():
        if process.poll() is not None:
            raise FedMVPError(f"the run ended before round {round}: {process.communicate()[0]}")
        time.sleep(_GLANCE_SECONDS)


def _fill(folder: Path) -> None:
    """Write until nothing more goes on the disk of this folder."""
    with (folder / _FILLER).open("wb", buffering=0) as file:
        for size in (2**20, 2**12, 1):
            try:
                while True:
                    os.write(file.fileno(), bytes(size))
            except OSError:
                continue
