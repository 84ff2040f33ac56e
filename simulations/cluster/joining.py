"""From the word after --ray-address to a cluster that answered and whose nodes are known."""

import json
import os
import queue
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from functools import cache
from typing import IO, Any

from fedmvp_core.errors import ConfigError
from simulations.cluster.nodes import Cluster, ClusterNode
from simulations.runner.environment import joining_environment

AUTO = "auto"
_ADDRESS = re.compile(r"(?P<host>[^\s:/]+):(?P<port>\d{1,5})")
_KNOCK_SECONDS = 3.0
# Ray itself would knock for minutes at a port where something else listens.
_JOIN_SECONDS = 30.0
_SURVEY_SECONDS = 150.0


@cache
def join_cluster(address: str) -> Cluster:
    """The cluster at `auto` or HOST:PORT, with what its nodes have; asked once a process.

    Raises:
        ConfigError: the address is none, nobody answers there, or who answers is no Ray cluster
            that this machine belongs to.
    """
    if address != AUTO:
        knock(address)
    said = _survey(address)
    nodes = [ClusterNode(**node) for node in said["nodes"]]
    return Cluster(str(said["address"]), sorted(nodes, key=lambda node: (node.name, node.id)))


def knock(address: str) -> None:
    """Raises ConfigError, within seconds, if no one listens at HOST:PORT."""
    found = _ADDRESS.fullmatch(address)
    if found is None or not 0 < int(found["port"]) < 2**16:
        raise ConfigError(
            f"ray-address is '{address}'; allowed: {AUTO}, or HOST:PORT of the cluster's head, "
            "as in 10.0.0.1:6379"
        )
    try:
        with socket.create_connection((found["host"], int(found["port"])), _KNOCK_SECONDS):
            pass
    except OSError as error:
        why = error.strerror or str(error)
        raise ConfigError(
            f"ray-address is '{address}', but nobody answers there ({why}); start the cluster with "
            "'ray start --head' and give the address that it prints"
        ) from None


def answers(address: str) -> bool:
    """Whether somebody listens at HOST:PORT."""
    try:
        knock(address)
    except ConfigError:
        return False
    return True


def _survey(address: str) -> Mapping[str, Any]:
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "simulations.cluster.survey", address],
        env=joining_environment(os.environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    lines: queue.Queue[str | None] = queue.Queue()
    assert process.stdout is not None
    threading.Thread(target=_read, args=(process.stdout, lines), daemon=True).start()
    try:
        if _next_line(lines, _JOIN_SECONDS) is None:
            raise ConfigError(_not_joined(address, process))
        answer = _next_line(lines, _SURVEY_SECONDS)
        if answer is None:
            raise ConfigError(f"the Ray cluster at '{address}' did not say which nodes it has")
        return dict(json.loads(answer))
    finally:
        process.kill()
        process.communicate()


def _read(stream: IO[str], lines: "queue.Queue[str | None]") -> None:
    for line in stream:
        lines.put(line.strip())
    lines.put(None)


def _next_line(lines: "queue.Queue[str | None]", seconds: float) -> str | None:
    """The next line; None if there is none in this time, or the process ends without it."""
    try:
        return lines.get(timeout=seconds)
    except queue.Empty:
        return None


def _not_joined(address: str, process: "subprocess.Popen[str]") -> str:
    begun = time.monotonic()
    while process.poll() is None and time.monotonic() - begun < 1.0:
        time.sleep(0.05)
    silent = process.poll() is None
    process.kill()
    assert process.stderr is not None
    words = [line.strip() for line in process.stderr.read().splitlines() if line.strip()]
    if silent:
        return (
            f"ray-address is '{address}', but what listens there let {_JOIN_SECONDS:.0f} s pass "
            "without letting this machine in; it is no Ray cluster, or this machine has no node of "
            "it (ray start --address=HOST:PORT)"
        )
    return f"ray-address is '{address}', which Ray refuses: {words[-1] if words else 'no reason'}"
