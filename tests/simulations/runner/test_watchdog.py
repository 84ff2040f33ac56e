"""A starter that is killed leaves nothing behind."""

import os
import subprocess
import sys
import time
from collections.abc import Callable

from simulations.runner.processes import processes_of

# Starts a process of the folder under a watchdog, says so, and waits to be killed.
STARTER = """
import os, pathlib, subprocess, sys, time
from simulations.runner.watchdog import watched
folder = pathlib.Path(sys.argv[1])
with watched(folder):
    environment = {**os.environ, "FLWR_HOME": f"{folder}/flwr"}
    subprocess.Popen(["sleep", "120"], env=environment, start_new_session=True)
    print("started", flush=True)
    time.sleep(120)
"""


def test_processes_and_folder_of_a_killed_starter_go(tmp_path):
    folder = tmp_path / "superlink"
    folder.mkdir()
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(folder)], stdout=subprocess.PIPE, env=dict(os.environ)
    )
    assert starter.stdout is not None
    assert starter.stdout.readline() == b"started\n"
    # The kernel shows a new process's environment only some time after it has been started.
    wait_until(lambda: len(processes_of(folder)) == 1)
    starter.kill()
    starter.communicate()
    wait_until(lambda: not processes_of(folder) and not folder.exists())


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)
