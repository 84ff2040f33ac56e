"""Ends a SuperLink and all that it started, if the process that started it is killed.

Flower's and Ray's processes outlive a starter that was killed (by the kernel, short of memory, or
by a scheduler). The watchdog is a process that reads from a pipe which only the starter holds: the
pipe's end is the starter's.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from simulations.runner.processes import end_processes_of


@contextmanager
def watched(folder: Path) -> Iterator[None]:
    """End the processes of `folder`, and remove it, should this process end before the block."""
    # -P: the user's working directory may hold a package of our name.
    command = [sys.executable, "-P", "-m", "simulations.runner.watchdog", str(folder)]
    watchdog = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        # What belongs to the folder has ended by now, so there is nothing left to watch.
        watchdog.kill()
        watchdog.communicate()


def main() -> None:
    """Wait for the end of standard input."""
    sys.stdin.buffer.read()
    folder = Path(sys.argv[1])
    end_processes_of(folder)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
