"""A SuperLink on a free port of this machine; it ends together with all that it started."""

import logging
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from simulations.runner.environment import clean_environment
from simulations.runner.errors import EngineError
from simulations.runner.interrupts import no_interrupts
from simulations.runner.processes import end_processes_of
from simulations.runner.watchdog import watched

logger = logging.getLogger(__name__)

# No folder in which `flwr` is run may be called so: it would be taken for an app.
CONNECTION = "simulation"
_START_SECONDS = 90.0
_ATTEMPTS = 3  # a free port can be taken by another process before the SuperLink binds it
# Ray's sockets lie at <folder>/ray/session_<date>_<time>_<pid>/sockets/plasma_store, 69 characters
# below the folder at most, and a socket's path may have 107 bytes.
_LONGEST_FOLDER = 107 - 69


@dataclass(frozen=True)
class SuperLink:
    """A running SuperLink and how to speak to it."""

    folder: Path
    environment: dict[str, str]

    def flwr(self, *words: str) -> list[str]:
        """A `flwr` command line; run it with this environment, in this folder."""
        program = shutil.which("flwr", path=self.environment["PATH"])
        if program is None:
            raise EngineError(f"the command 'flwr' is not beside {sys.executable}; reinstall flwr")
        return [program, *words]


@contextmanager
def local_superlink(log: Path, ray_address: str = "") -> Iterator[SuperLink]:
    """Start a SuperLink in a temporary folder; end its whole tree on leaving, whatever happened.

    ray_address: HOST:PORT of the cluster whose workers play the clients; "": Flower starts a Ray.
    """
    folder = Path(tempfile.mkdtemp(prefix="fedmvp-", dir=short_temporary_folder())).resolve()
    link = SuperLink(folder, clean_environment(folder, ray_address=ray_address))
    process: subprocess.Popen[bytes] | None = None
    with watched(folder):
        try:
            process = _start(link, log)
            yield link
        finally:
            with no_interrupts():
                end_processes_of(folder)
                if process is not None:
                    process.wait()
                shutil.rmtree(folder, ignore_errors=True)


def _start(link: SuperLink, log: Path) -> "subprocess.Popen[bytes]":
    for _ in range(_ATTEMPTS):
        port = free_port()
        _write_connection(link, port)
        process = _launch(link, log, port)
        if _wait_until_healthy(process, port):
            logger.debug("SuperLink on port %d, folder %s, log %s", port, link.folder, log)
            return process
        end_processes_of(link.folder)
        process.wait()
    raise EngineError(f"Flower's SuperLink did not start; its words are in {log}")


def _launch(link: SuperLink, log: Path, port: int) -> "subprocess.Popen[bytes]":
    program = shutil.which("flower-superlink", path=link.environment["PATH"])
    if program is None:
        raise EngineError(f"'flower-superlink' is not beside {sys.executable}; reinstall flwr")
    command = [program, "--insecure", "--simulation", "--isolation", "subprocess"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    with log.open("ab") as stream:
        return subprocess.Popen(
            command,
            # Flower runs clients with the SuperLink's folder first on the import path, so it must
            # hold no code.
            cwd=link.folder,
            env=link.environment,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a terminal's Ctrl-C is for us to handle
        )


def _wait_until_healthy(process: "subprocess.Popen[bytes]", port: int) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with opener.open(f"http://127.0.0.1:{port}/health", timeout=1):
                # A stranger on the port would answer as well; then ours has ended or will soon.
                time.sleep(0.1)
                return process.poll() is None
        except OSError:
            time.sleep(0.1)
    return False


def _write_connection(link: SuperLink, port: int) -> None:
    home = Path(link.environment["FLWR_HOME"])
    home.mkdir(exist_ok=True)
    (home / "config.toml").write_text(
        f'[superlink]\ndefault = "{CONNECTION}"\n\n[superlink.{CONNECTION}]\n'
        f'address = "127.0.0.1:{port}"\ninsecure = true\n',
        encoding="utf-8",
    )


def free_port() -> int:
    """A port of this machine that nothing uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def short_temporary_folder() -> str:
    """A folder for temporary files in which Ray's sockets have paths short enough."""
    folder = tempfile.gettempdir()
    fits = len(str(Path(folder).resolve())) + len("/fedmvp-12345678") <= _LONGEST_FOLDER
    return folder if fits else "/tmp"
