"""A starter that is killed leaves nothing behind."""

import os
import subprocess
import sys
import time

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
    assert len(processes_of(folder)) == 1
    starter.kill()
    starter.communicate()
    deadline = time.monotonic() + 30
    while processes_of(folder) or folder.exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)
