"""All checks of a machine, before a SuperLink or SuperNode is started on it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fedmvp_core.errors import ConfigError
from simulations.deploy.certificates import CA_CERTIFICATE
from simulations.deploy.checks_network import check_port, check_superlink
from simulations.deploy.checks_node import check_certificates, check_key
from simulations.deploy.findings import WARNING, Finding
from simulations.runner.named_runs import resolve_config
from simulations.runner.planning import named_by

LOCAL_HOST = "127.0.0.1"


@dataclass(frozen=True)
class NodeQuestions:
    """What to look at on a node's machine; what is empty (or 0) is not looked at.

    superlink: host:port. tls: folder of ca.crt. key: private key. node_config: as for Flower.
    """

    superlink: str = ""
    tls: Path | None = None
    key: str = ""
    node_config: str = ""
    runtime_port: int = 0
    device: str = "auto"


def examine_superlink(host: str, port: int, tls: Path | None, name: str) -> list[Finding]:
    """Port and certificates. name: how nodes call this machine; "" = not looked at."""
    findings = check_port(host, port)
    if tls is None:
        words = "no TLS: whoever reaches the port can read, and run code on every node"
        return [*findings, Finding("certificate", WARNING, words)]
    return [*findings, *check_certificates(tls, server=True, host=name)]


def examine_node(asked: NodeQuestions, run_words: Sequence[str] | None) -> list[Finding]:
    """Certificates, key, the SuperLink's answer, port, device and data.

    Raises:
        ConfigError: the address or the run is wrong.
    """
    findings: list[Finding] = []
    if asked.tls is not None:
        findings += check_certificates(asked.tls, server=False)
    if asked.key:
        findings += check_key(Path(asked.key))
        if asked.tls is None:
            words = "a key needs TLS, and no folder of ca.crt is named"
            findings.append(Finding("key", WARNING, words))
    if asked.superlink:
        authority = asked.tls / CA_CERTIFICATE if asked.tls else None
        if authority is None or authority.is_file():
            findings += check_superlink(asked.superlink, authority)
    if asked.runtime_port:
        findings += check_port(LOCAL_HOST, asked.runtime_port)
    return findings + _data_and_device(asked, run_words)


def _data_and_device(asked: NodeQuestions, run_words: Sequence[str] | None) -> list[Finding]:
    # torch is imported where it is needed: the other checks answer at once.
    from simulations.deploy.checks_data import check_data, check_device

    findings = check_device(asked.device)
    if asked.node_config:
        run = None
        if run_words:
            run = resolve_config(*named_by(run_words))
        findings += check_data(asked.node_config, run)
    elif run_words:
        raise ConfigError("a run is named, but no --node-config says which shard is this node's")
    return findings
