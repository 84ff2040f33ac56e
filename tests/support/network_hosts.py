"""Several hosts on one machine: network namespaces with their own addresses, joined by a switch.

The switch is a bridge in a namespace of its own, so nothing of the machine's own network changes.
Everything that was made is gone on leaving, also after a failure.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

SUBNET = "10.77.0"
_NETEM, _RELAY = "tc netem", "a relay in user space (this kernel has no netem)"
_SLOW_WIRE = Path(__file__).with_name("slow_wire.py")


@dataclass(frozen=True)
class Network:
    """Hosts by name, each with its address, and how the first one's wire is made slow."""

    prefix: str
    addresses: dict[str, str]
    slowed_by: str

    def command(self, host: str, *words: str) -> list[str]:
        """A command line that runs on that host."""
        return ["ip", "netns", "exec", f"{self.prefix}{host}", *words]

    def cut(self, host: str) -> None:
        """Take the host's cable out of the switch."""
        self._port(host, "down")

    def restore(self, host: str) -> None:
        """Put it in again."""
        self._port(host, "up")

    def _port(self, host: str, state: str) -> None:
        port = f"port{list(self.addresses).index(host)}"
        _run("ip", "-n", f"{self.prefix}switch", "link", "set", port, state)


def why_no_hosts() -> str:
    """Why no network namespaces can be made here; empty if they can."""
    if os.getuid() != 0:
        return "network namespaces need root"
    name = f"fedmvp-{os.getpid()}-probe"
    try:
        _run("ip", "netns", "add", name)
        _run("ip", "netns", "del", name)
    except (OSError, RuntimeError) as error:
        return f"'ip netns add' does not work here: {error}"
    return ""


@contextmanager
def several_hosts(names: Sequence[str], delay_ms: float, loss_percent: float) -> Iterator[Network]:
    """A namespace for each name, all on one subnet; the first one's wire is slow and loses frames.

    delay_ms, loss_percent: each way, between the first host and all others.
    """
    _remove_left_over()
    prefix = f"fedmvp-{os.getpid()}-"
    switch = f"{prefix}switch"
    with ExitStack() as stack:
        for name in ("switch", *names):
            _run("ip", "netns", "add", f"{prefix}{name}")
            stack.callback(_run, "ip", "netns", "del", f"{prefix}{name}")
        _run("ip", "-n", switch, "link", "add", "bridge0", "up", "type", "bridge")
        addresses = {name: f"{SUBNET}.{10 * bool(i) + i or 1}" for i, name in enumerate(names)}
        slowed_by = _NETEM
        for i, (name, address) in enumerate(addresses.items()):
            host, port = f"{prefix}{name}", f"port{i}"
            _plug_in(switch, port, host)
            if i == 0 and not _slow(switch, port, host, delay_ms, loss_percent):
                _run("ip", "-n", switch, "link", "del", port)
                stack.enter_context(_relay(switch, port, host, delay_ms, loss_percent))
                slowed_by = _RELAY
            _run("ip", "-n", switch, "link", "set", port, "master", "bridge0", "up")
            _run("ip", "-n", host, "address", "add", f"{address}/24", "dev", "eth0")
            for interface in ("lo", "eth0"):
                _run("ip", "-n", host, "link", "set", interface, "up")
        yield Network(prefix, addresses, slowed_by)


def _plug_in(switch: str, port: str, host: str) -> None:
    pair = ("type", "veth", "peer", "name", "eth0", "netns", host)
    _run("ip", "-n", switch, "link", "add", port, *pair)


def _slow(switch: str, port: str, host: str, delay_ms: float, loss_percent: float) -> bool:
    """Whether the kernel could be told to delay and lose frames, on both ends of a wire."""
    rule = ("root", "netem", "delay", f"{delay_ms}ms", "loss", f"{loss_percent}%")
    try:
        for namespace, interface in ((switch, port), (host, "eth0")):
            _run("tc", "-n", namespace, "qdisc", "add", "dev", interface, *rule)
    except (FileNotFoundError, RuntimeError):
        return False
    return True


@contextmanager
def _relay(
    switch: str, port: str, host: str, delay_ms: float, loss_percent: float
) -> Iterator[None]:
    words = [sys.executable, str(_SLOW_WIRE), port, "wire0", str(delay_ms), str(loss_percent)]
    command = ["ip", "netns", "exec", switch, *words]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as relay:
        try:
            if relay.stdout is None or relay.stdout.readline() != "ready\n":
                raise RuntimeError("the slow wire did not start")
            _run("ip", "-n", switch, "link", "set", "wire0", "netns", host, "name", "eth0")
            yield
        finally:
            relay.kill()


def _remove_left_over() -> None:
    """Namespaces of a process that was killed before it could remove them."""
    for line in _run("ip", "netns", "list").splitlines():
        found = re.match(r"fedmvp-(\d+)-\S+", line)
        if found and not Path(f"/proc/{found[1]}").exists():
            _run("ip", "netns", "del", found[0])


def _run(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"'{' '.join(words)}': {done.stderr.strip()}")
    return done.stdout
