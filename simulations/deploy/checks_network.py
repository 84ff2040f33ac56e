"""Checks of ports, of the other side's clock, and of its version."""

import socket
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from fedmvp_core.errors import ConfigError
from simulations.deploy.answers import Answer, ask_health
from simulations.deploy.findings import FAILED, OK, WARNING, Finding
from simulations.runner.errors import EngineError

# Flower signs what a node says with the time, and the SuperLink refuses times that are farther
# ahead of its own, or farther behind (flwr.common.constant: 5 and 300 s).
MOST_AHEAD_SECONDS, MOST_BEHIND_SECONDS = 5.0, 300.0


def refuse_taken_port(host: str, port: int) -> None:
    """Raises ConfigError when nothing can listen on this port of this machine."""
    found = check_port(host, port)[0]
    if found.level == FAILED:
        raise ConfigError(found.words)


def check_port(host: str, port: int) -> list[Finding]:
    """Whether a process of ours could listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            words = (
                f"port {port} of {host} cannot be used: {error.strerror}; see who has it "
                f"(ss -ltnp 'sport = :{port}') or choose another port"
            )
            return [Finding("port", FAILED, words)]
    return [Finding("port", OK, f"port {port} of {host} is free")]


def check_superlink(address: str, authority: Path | None) -> list[Finding]:
    """Whether the SuperLink answers, with a certificate to be trusted, in time and version."""
    try:
        asked = datetime.now(UTC)
        answer = ask_health(address, authority, ask_version=True)
    except EngineError as error:
        return [Finding("superlink", FAILED, str(error))]
    way = f"TLS, signed by {authority}" if authority else "no TLS"
    here = Finding("superlink", OK, f"{address} answers ({way})")
    return [here, *check_clock(answer, asked, address), *check_version(answer, address)]


def check_clock(answer: Answer, now: datetime, address: str) -> list[Finding]:
    """This machine's clock against the SuperLink's, which tells whole seconds."""
    if answer.date is None:
        return [Finding("clock", FAILED, f"{address} does not tell its time")]
    behind = (answer.date - now).total_seconds()
    if -MOST_AHEAD_SECONDS <= behind <= MOST_AHEAD_SECONDS:
        return [Finding("clock", OK, f"within {max(1.0, abs(behind)):.0f} s of {address}'s")]
    refused = behind < 0 or behind > MOST_BEHIND_SECONDS
    words = (
        f"this machine's clock is {abs(behind):.0f} s {'behind' if behind > 0 else 'ahead of'} "
        f"that of {address}; the SuperLink refuses nodes over {MOST_AHEAD_SECONDS:.0f} s ahead or "
        f"{MOST_BEHIND_SECONDS:.0f} s behind: set both by NTP (timedatectl)"
    )
    return [Finding("clock", FAILED if refused else WARNING, words)]


def check_version(answer: Answer, address: str) -> list[Finding]:
    """Flower's version here and there: the first two numbers must be the same."""
    own = version("flwr")
    if own.split(".")[:2] != answer.version.split(".")[:2]:
        words = (
            f"Flower is {own} here and {answer.version or 'of an untold version'} at {address}; "
            "install the same flwr and fedmvp on both (pip list | grep -E 'flwr|fedmvp')"
        )
        return [Finding("version", FAILED, words)]
    return [Finding("version", OK, f"Flower {own} here, {answer.version} at {address}")]
