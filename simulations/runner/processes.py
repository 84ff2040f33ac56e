"""Finds and ends every process that belongs to a folder.

Ray's daemons and workers leave their parent's session and rename themselves, so neither process
groups nor names find them all. They do all inherit the environment, in which FLWR_HOME names the
folder, and the working directory, which is the folder.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")


def processes_of(folder: Path) -> dict[int, str]:
    """Command lines by process id, of all live processes that were started for `folder`."""
    found = _from_proc(folder) if (_PROC / "self" / "environ").exists() else _from_ps(folder)
    return {pid: command for pid, command in found if pid != os.getpid()}


def end_processes_of(folder: Path, grace_seconds: float = 2.0) -> None:
    """Ask all processes of `folder` to end, then kill what is left."""
    for sign, seconds in ((signal.SIGTERM, grace_seconds), (signal.SIGKILL, 10.0)):
        deadline = time.monotonic() + seconds
        signalled: set[int] = set()
        while alive := processes_of(folder):
            for pid in alive.keys() - signalled:
                _send(pid, sign)
            signalled |= alive.keys()
            if time.monotonic() > deadline:
                break
            time.sleep(0.05)


def _send(pid: int, sign: signal.Signals) -> None:
    # It may have ended since it was listed, and its id may be another user's process by now.
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, sign)


def _from_proc(folder: Path) -> Iterator[tuple[int, str]]:
    mark = os.fsencode(folder)
    for entry in _PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            environment = (entry / "environ").read_bytes()
            if not environment:  # a zombie: it has ended, and only its parent can remove it
                continue
            here = os.fsencode(os.readlink(entry / "cwd"))
            if _holds(environment, mark) or here == mark or here.startswith(mark + b"/"):
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").strip()
                yield int(entry.name), command.decode(errors="replace")
        except OSError:
            continue  # ended meanwhile, or another user's


def _holds(environment: bytes, mark: bytes) -> bool:
    return (b"FLWR_HOME=" + mark + b"/") in environment


def _from_ps(folder: Path) -> Iterator[tuple[int, str]]:
    """macOS: `ps -E` shows each process's environment after its command line."""
    listing = subprocess.run(
        ["ps", "-axEww", "-o", "pid=,command="], capture_output=True, text=True, check=False
    )
    for line in listing.stdout.splitlines():
        pid, _, command = line.strip().partition(" ")
        if f"FLWR_HOME={folder}/" in command:
            yield int(pid), command
