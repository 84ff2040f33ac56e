"""Speaks to a SuperLink on any machine: registers the keys of nodes, submits a run."""

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from fedmvp_core.config import RunConfig
from fedmvp_core.errors import ConfigError
from simulations.deploy.answers import ask_health
from simulations.deploy.certificates import CA_CERTIFICATE
from simulations.deploy.keys import check_different
from simulations.deploy.processes import write_connection
from simulations.runner import flower
from simulations.runner.environment import clean_environment
from simulations.runner.errors import EngineError
from simulations.runner.project import stage_app
from simulations.runner.superlink import CONNECTION, SuperLink

_KNOWN_KEY = "already in use"  # Flower's words when a key is registered again
_POLL_SECONDS = 2.0


@contextmanager
def connected(address: str, tls: Path | None) -> Iterator[SuperLink]:
    """Connect to a SuperLink and check that it answers. tls: the folder of its ca.crt.

    Raises:
        EngineError: it does not answer, or not with a certificate of this authority.
    """
    authority = (tls / CA_CERTIFICATE).absolute() if tls else None
    if authority is not None and not authority.is_file():
        raise ConfigError(f"there is no {authority}; copy the ca.crt of the SuperLink there")
    ask_health(address, authority)
    with tempfile.TemporaryDirectory(prefix="fedmvp-") as name:
        link = SuperLink(Path(name), clean_environment(Path(name)))
        write_connection(Path(link.environment["FLWR_HOME"]), address, authority)
        yield link


def register(link: SuperLink, public_keys: Sequence[Path]) -> list[Path]:
    """Let the SuperLink know these keys; return those that it did not know yet.

    Raises:
        ConfigError: two files hold one key, or a file holds none.
        EngineError: the SuperLink refuses.
    """
    check_different(public_keys)
    return [path for path in public_keys if _register(link, path)]


def _register(link: SuperLink, path: Path) -> bool:
    words = ("supernode", "register", str(path.absolute()), CONNECTION, "--name", path.stem)
    try:
        flower.ask(link, *words, "--format", "json")
    except EngineError as error:
        if _KNOWN_KEY not in str(error).lower():
            raise
        return False
    return True


def submit(link: SuperLink, config: RunConfig, console: Console) -> str:
    """Submit a run, show what server and clients say, and return Flower's word for its end."""
    run_id = flower.submit(link, stage_app(link.folder), config)
    console.print(f"run {run_id}", highlight=False)
    log = link.folder / "run.log"
    following = flower.follow_log(link, run_id, log)
    offset = 0
    while True:
        ended = following.poll() is not None
        with log.open("rb") as stream:
            stream.seek(offset)
            said = stream.read()
        offset += len(said)
        console.out(flower.plain(said.decode(errors="replace")), end="", highlight=False)
        if ended:
            return flower.run_status(link, run_id).status
        time.sleep(_POLL_SECONDS)
