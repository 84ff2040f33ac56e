"""Waits until a Ray cluster that is being started has all of its nodes.

python -m simulations.cluster.waiting HOST:PORT NODES
"""

import sys
import time

from fedmvp_core.errors import ConfigError
from simulations.cluster.joining import answers, join_cluster

_SECONDS = 300.0
_PAUSE_SECONDS = 2.0


def wait_for_nodes(address: str, nodes: int, seconds: float = _SECONDS) -> None:
    """Return when so many nodes are there.

    Raises:
        ConfigError: they are not in this time; who is there is said.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not answers(address):
        time.sleep(_PAUSE_SECONDS)
    found: list[str] = []
    while time.monotonic() < deadline:
        try:
            found = [node.name for node in join_cluster(address).nodes]
        except ConfigError:  # the head is not ready yet
            found = []
        if len(found) >= nodes:
            return
        join_cluster.cache_clear()
        time.sleep(_PAUSE_SECONDS)
    raise ConfigError(
        f"{len(found)} of {nodes} Ray nodes came to {address} in {seconds:.0f} s: "
        f"{', '.join(found) or 'none'}"
    )


def main() -> None:
    """Wait; exit with the sentence if the nodes do not come."""
    try:
        wait_for_nodes(sys.argv[1], int(sys.argv[2]))
    except ConfigError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
