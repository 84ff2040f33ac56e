"""A deployment on one machine, as processes; compose.yml does the same with containers.

The SuperLink and each SuperNode are started by the entrypoints of the images, with TLS and a key
for each node, and speak to each other over the loopback interface.
"""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from fedmvp_core.run_folder import SUPERLINK_LOG
from simulations.deploy.answers import ask_health
from simulations.deploy.certificates import CA_CERTIFICATE, make_certificates
from simulations.deploy.entrypoints import SUPERLINK, SUPERNODE, Started, start
from simulations.runner import flower
from simulations.runner.environment import clean_environment
from simulations.runner.errors import EngineError
from simulations.runner.interrupts import no_interrupts
from simulations.runner.processes import end_processes_of
from simulations.runner.superlink import (
    CONNECTION,
    SuperLink,
    free_port,
    short_temporary_folder,
)
from simulations.runner.watchdog import watched

HOST = "127.0.0.1"
_START_SECONDS = 120.0


@dataclass
class LocalDeployment:
    """Running processes and how to speak to them. authority: ca.crt, None without TLS."""

    link: SuperLink
    address: str
    authority: Path | None
    logs: Path
    started: list[Started] = field(default_factory=list)

    def register(self, public_key: Path) -> None:
        """Let the SuperLink know the public key of a node."""
        flower.ask(
            self.link, "supernode", "register", str(public_key), CONNECTION, "--format", "json"
        )

    def online(self) -> int:
        """How many SuperNodes the SuperLink counts as present."""
        answer = flower.ask(self.link, "supernode", "list", CONNECTION, "--format", "json")
        return sum(node["status"] == "online" for node in answer["nodes"])

    def add_node(
        self, name: str, node_config: str, key: Path | None = None, **values: str
    ) -> Started:
        """Start a SuperNode. values: added to the entrypoint's environment, or replaced."""
        environment = {
            "FEDMVP_SUPERLINK": self.address,
            "FEDMVP_NODE_CONFIG": node_config,
            "FEDMVP_RUNTIME_PORT": str(free_port()),
            "FEDMVP_TLS_DIR": str(self.authority.parent) if self.authority else "",
            "FEDMVP_KEY": str(key) if key else "",
            "FEDMVP_INSECURE": "0" if self.authority else "1",
            "FEDMVP_DOCTOR": "0",  # what it looks at was made a moment ago
        }
        log = self.logs / f"{name}.log"
        node = start(SUPERNODE, name, self.link.folder / name, log, environment | values)
        self.started.append(node)
        return node

    def wait_for_nodes(self, number: int) -> None:
        """Wait until so many SuperNodes are online.

        Raises:
            EngineError: one of them has ended, or they are too few after two minutes.
        """
        deadline = time.monotonic() + _START_SECONDS
        while (online := self.online()) < number:
            self.refuse_ended()
            if time.monotonic() > deadline:
                raise EngineError(
                    f"{online} of {number} SuperNodes are online after {_START_SECONDS:.0f} s; "
                    f"their words are in {self.logs}"
                )
            time.sleep(0.5)

    def refuse_ended(self) -> None:
        """Raises EngineError if a process has ended by itself."""
        for one in self.started:
            if (code := one.process.poll()) is not None:
                raise EngineError(
                    f"{one.name} ended with code {code}: {one.last_words()} (see {one.log})"
                )


@contextmanager
def local_deployment(logs: Path, tls: bool = True, port: int = 0) -> Iterator[LocalDeployment]:
    """A SuperLink that answers; on leaving it ends with all SuperNodes added.

    logs: the folder of superlink.log and of a log for each node. port: 0 = any that is free.

    Raises:
        EngineError: the SuperLink does not start, for instance because the port is in use.
    """
    chosen = port or free_port()
    folder = Path(tempfile.mkdtemp(prefix="fedmvp-", dir=short_temporary_folder())).resolve()
    deployment: LocalDeployment | None = None
    with watched(folder):
        try:
            deployment = _start_superlink(folder, logs, tls, chosen)
            yield deployment
        finally:
            with no_interrupts():
                end_processes_of(folder)
                for one in deployment.started if deployment else []:
                    one.process.wait()
                shutil.rmtree(folder, ignore_errors=True)


def _start_superlink(folder: Path, logs: Path, tls: bool, port: int) -> LocalDeployment:
    certificates = folder / "tls"
    if tls:
        make_certificates(certificates, [HOST], days=1)
    authority = certificates / CA_CERTIFICATE if tls else None
    address = f"{HOST}:{port}"
    link = SuperLink(folder, clean_environment(folder))
    write_connection(Path(link.environment["FLWR_HOME"]), address, authority)
    values = {
        "FEDMVP_HOST": HOST,
        "FEDMVP_PORT": str(port),
        "FEDMVP_TLS_DIR": str(certificates) if tls else "",
        "FEDMVP_INSECURE": "0" if tls else "1",
        "FEDMVP_DOCTOR": "0",
    }
    log = logs / SUPERLINK_LOG
    superlink = start(SUPERLINK, "superlink", folder / "superlink", log, values)
    deployment = LocalDeployment(link, address, authority, logs, [superlink])
    deadline = time.monotonic() + _START_SECONDS
    while True:
        deployment.refuse_ended()
        try:
            ask_health(address, authority)
            return deployment
        except EngineError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.2)


def write_connection(flwr_home: Path, address: str, authority: Path | None) -> None:
    """The file in which `flwr` looks up a SuperLink by name."""
    flwr_home.mkdir(parents=True, exist_ok=True)
    trust = f'root-certificates = "{authority}"' if authority else "insecure = true"
    (flwr_home / "config.toml").write_text(
        f'[superlink]\ndefault = "{CONNECTION}"\n\n[superlink.{CONNECTION}]\n'
        f'address = "{address}"\n{trust}\n',
        encoding="utf-8",
    )
