"""Every process of a folder is found and ended, whatever it did to hide."""

import os
import subprocess
import sys
import time

from simulations.runner.processes import end_processes_of, processes_of

# A child that starts a grandchild in a session of its own and ends, as daemons do; the grandchild
# also ignores the polite request.
DAEMON = """
import os, signal, time
if os.fork() == 0:
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(120)
"""


def start(folder, code: str) -> "subprocess.Popen[bytes]":
    environment = {**os.environ, "FLWR_HOME": f"{folder}/flwr"}
    return subprocess.Popen([sys.executable, "-c", code], env=environment, cwd="/")


def test_a_stubborn_orphan_in_its_own_session_is_ended(tmp_path):
    assert start(tmp_path, DAEMON).wait(timeout=30) == 0
    (orphan,) = processes_of(tmp_path)
    end_processes_of(tmp_path, grace_seconds=0.3)
    assert processes_of(tmp_path) == {}
    assert not os.path.exists(f"/proc/{orphan}/cwd")


def test_processes_of_other_folders_are_left_alone(tmp_path):
    mine, other = tmp_path / "run", tmp_path / "run-2"
    process = start(other, "import time; time.sleep(120)")
    try:
        wait_until(lambda: processes_of(other))
        end_processes_of(mine)
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


def wait_until(condition, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)
