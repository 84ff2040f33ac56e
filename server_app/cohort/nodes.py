"""The supernodes of a run: who they are and what they hold.

Flower starts the ServerApp before the simulated nodes are registered, and would wait for missing
ones for ever; here every node is asked first, with a deadline. In a deployment nodes come late,
leave, and come back under another id.
"""

import time
from collections.abc import Iterator, Sequence

from flwr.serverapp import Grid

from fedmvp_core.config import DataSection, RunConfig
from fedmvp_core.data.own_shard import OWN
from fedmvp_core.errors import ConfigError, FedMVPError, WireError
from fedmvp_core.json_logs import logger
from server_app.cohort.questions import Asking, Node, described_node

__all__ = ["Node", "cohort_size", "find_nodes", "places", "with_returned"]

POLL_SECONDS = 0.5
# A node that comes back, or comes late, is asked before a round; to make a shard takes a while.
RETURN_SECONDS = 60.0


def cohort_size(nodes: int, fraction: float) -> int:
    """How many of the nodes a round asks: a share of them, at least one."""
    return max(1, min(nodes, int(fraction * nodes + 0.5)))


def find_nodes(grid: Grid, config: RunConfig, class_names: Sequence[str]) -> list[Node]:
    """Ask every supernode what it holds; sorted by partition id.

    With start-clients so many are enough once node-timeout is over, and others may come later.

    class_names: all that the federation trains on; a node with other classes is refused.

    Raises:
        ConfigError: their number is not that of the shards, or cannot be known.
        FedMVPError: a node cannot make its shard, two hold the same one, or too few answer within
            node-timeout.
    """
    if config.data.partition == OWN and config.data.clients == 0:
        raise ConfigError(
            f"clients is 0 but partition is '{OWN}', where nobody else says how many nodes will "
            "come; set clients to their number"
        )
    deadline = time.monotonic() + config.federation.node_timeout
    asking = Asking(grid, class_names)
    found: dict[int, Node] = {}
    expected = config.data.clients if config.data.partition == OWN else None
    while expected is None or len(found) < expected:
        asking.ask(grid.get_node_ids())
        answers = asking.answers()
        for node_id, reply in answers:
            node = described_node(node_id, reply)
            if config.data.partition != OWN:
                expected = node.shards
                _check_clients(config.data, expected)
            _refuse_twins(found, node)
            found[node.partition_id] = node
        if not answers:
            if time.monotonic() > deadline:
                if not 0 < config.federation.start_clients <= len(found):
                    raise FedMVPError(_too_few(found, expected, config))
                logger.warning("%s; the run begins with them", _too_few(found, expected, config))
                break
            time.sleep(POLL_SECONDS)
    return [found[partition_id] for partition_id in sorted(found)]


def places(nodes: Sequence[Node], data: DataSection) -> int:
    """How many clients the run has room for, those included that have not come."""
    return max(len(nodes), data.clients if data.partition == OWN else nodes[0].shards)


def with_returned(
    grid: Grid, nodes: Sequence[Node], class_names: Sequence[str], room: int
) -> list[Node]:
    """The nodes as they are now: those who came back, and, up to `room`, those who come late.

    A SuperNode without a key of its own gets another id each time that it is started. Who is new
    and holds a shard of somebody present is left alone.
    """
    present = set(grid.get_node_ids())
    absent = {node.partition_id for node in nodes if node.node_id not in present}
    new = present - {node.node_id for node in nodes}
    if not new or not (absent or room > len(nodes)):
        return list(nodes)
    by_partition = {node.partition_id: node for node in nodes}
    for node in _answering(grid, new, class_names):
        if node.partition_id in absent:
            logger.info("client %d is back as supernode %d", node.partition_id, node.node_id)
        elif node.partition_id in by_partition or len(by_partition) >= room:
            continue
        elif node.shards != nodes[0].shards:
            logger.warning(
                "supernode %d is left out: its num-partitions is %d, that of the run is %d",
                *(node.node_id, node.shards, nodes[0].shards),
            )
            continue
        else:
            logger.info("client %d joins as supernode %d", node.partition_id, node.node_id)
        by_partition[node.partition_id] = node
    return [by_partition[partition_id] for partition_id in sorted(by_partition)]


def _answering(grid: Grid, node_ids: set[int], class_names: Sequence[str]) -> Iterator[Node]:
    """The nodes among these that say in time what they hold, and can hold it."""
    deadline = time.monotonic() + RETURN_SECONDS
    asking = Asking(grid, class_names)
    asking.ask(node_ids)
    while asking.waiting and time.monotonic() < deadline:
        for node_id, reply in asking.answers():
            try:
                yield described_node(node_id, reply)
            except FedMVPError as error:
                logger.warning("supernode %d is left out: %s", node_id, error)
        if asking.waiting:
            time.sleep(POLL_SECONDS)


def _refuse_twins(found: dict[int, Node], node: Node) -> None:
    other = found.get(node.partition_id)
    if other is not None:
        raise FedMVPError(
            f"supernodes {other.node_id} and {node.node_id} both have partition-id "
            f"{node.partition_id}; give each a number of its own in its node config"
        )


def _check_clients(data: DataSection, supernodes: int) -> None:
    if supernodes < 1:
        raise WireError(f"a supernode's num-partitions is {supernodes}; allowed: 1 or more")
    if data.clients not in (0, supernodes):
        raise ConfigError(
            f"clients is {data.clients}, but there are {supernodes} supernodes; make them equal, "
            "or set clients to 0 for one shard a supernode"
        )


def _too_few(found: dict[int, Node], expected: int | None, config: RunConfig) -> str:
    if expected is None:
        return f"no supernode answered within node-timeout ({config.federation.node_timeout:g} s)"
    ids = (
        sorted(found) if config.data.partition == OWN else sorted(set(range(expected)) - set(found))
    )
    which = "those that did have" if config.data.partition == OWN else "missing"
    return (
        f"{len(found)} of {expected} supernodes answered within node-timeout "
        f"({config.federation.node_timeout:g} s); {which} partition ids: "
        f"{', '.join(map(str, ids)) or 'none'}"
    )
