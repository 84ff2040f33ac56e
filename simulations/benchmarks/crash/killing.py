"""Stops a process of a run at a chosen moment, and kills one at that moment."""

import os
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from simulations.benchmarks.crash.table import KILLED_ROUND
from simulations.deploy import entrypoints, processes
from simulations.runner import superlink
from simulations.runner.environment import clean_environment
from simulations.runner.processes import processes_of


@contextmanager
def hooked(control: Path, point: str) -> Iterator[None]:
    """Let the processes that are started inside the block import hooks/sitecustomize.py."""
    hooks = {
        "PYTHONPATH": str(Path(__file__).parent / "hooks"),
        "CRASH_FOLDER": str(control),
        "CRASH_POINT": point,
        "CRASH_ROUND": str(KILLED_ROUND),
    }
    starters: tuple[Any, ...] = (superlink, processes, entrypoints)
    for module in starters:
        module.clean_environment = lambda folder: clean_environment(folder) | hooks
    try:
        yield
    finally:
        for module in starters:
            module.clean_environment = clean_environment


def kill_when_reached(control: Path, mark: str) -> None:
    """Wait for the moment, kill one process whose command line holds `mark`, let the rest go on.

    If the process that reached the moment is one of these, it is the one that is killed.
    """
    while not (control / "reached").exists():
        if (control / "over").exists():
            return
        time.sleep(0.02)
    first, _, home = (control / "reached").read_text().partition(" ")
    below = Path(tempfile.gettempdir()).resolve()
    alive = processes_of(next(path for path in Path(home).parents if path.parent == below))
    victims = [pid for pid, command in alive.items() if mark in command]
    victims.sort(key=lambda pid: pid != int(first))
    if victims:
        os.kill(victims[0], signal.SIGKILL)
        (control / "killed").write_text(f"{victims[0]} {alive[victims[0]]}")
    (control / "go").touch()
