"""The supernodes of a run: who they are and what they hold.

Flower starts the ServerApp before the simulated nodes are registered, and would wait for missing
ones for ever; here every node is asked first, with a deadline.
"""

import json
import time
from dataclasses import dataclass

from flwr.app import ConfigRecord, Message, MessageType, RecordDict
from flwr.serverapp import Grid

from fedmvp_core import wire
from fedmvp_core.config import RunConfig
from fedmvp_core.errors import ConfigError, FedMVPError, WireError
from fedmvp_core.sources import source_folder, source_hash

POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Node:
    """A supernode and its shard: images of each class and of each domain.

    num_examples is 0 and the others are empty where a run does not let them be told.
    """

    node_id: int
    partition_id: int
    num_examples: int
    classes: dict[str, int]
    domains: dict[str, int]


def cohort_size(nodes: int, fraction: float) -> int:
    """How many of the nodes a round asks: a share of them, at least one."""
    return max(1, min(nodes, int(fraction * nodes + 0.5)))


def find_nodes(grid: Grid, config: RunConfig) -> list[Node]:
    """Ask every supernode what it holds; sorted by partition id.

    Raises:
        ConfigError: their number is not that of the shards.
        FedMVPError: a node cannot make its shard, or some do not answer within node-timeout.
    """
    deadline = time.monotonic() + config.node_timeout
    found: dict[int, Node] = {}
    asked: set[int] = set()
    expected: int | None = None
    while expected is None or len(found) < expected:
        if time.monotonic() > deadline:
            raise FedMVPError(_too_few(found, expected, config))
        new = set(grid.get_node_ids()) - asked
        if not new:
            time.sleep(POLL_SECONDS)
            continue
        replies = _ask(grid, new, deadline)
        asked |= new
        for reply in replies:
            description = _description(reply)
            expected = wire.integer(description, wire.NUM_PARTITIONS, "a supernode")
            _check_clients(config, expected)
            node = _node(reply.metadata.src_node_id, description)
            found[node.partition_id] = node
    return [found[partition_id] for partition_id in sorted(found)]


def _ask(grid: Grid, node_ids: set[int], deadline: float) -> list[Message]:
    sources = ConfigRecord({wire.SOURCES: source_hash(), wire.SOURCE_FOLDER: str(source_folder())})
    messages = [
        Message(
            RecordDict({wire.CONFIG: sources}), dst_node_id=node_id, message_type=MessageType.QUERY
        )
        for node_id in sorted(node_ids)
    ]
    timeout = max(1.0, deadline - time.monotonic())
    return list(grid.send_and_receive(messages, timeout=timeout))


def _description(reply: Message) -> ConfigRecord:
    if reply.has_error():
        raise FedMVPError(f"a supernode fails: {reply.error.reason}")
    description = reply.content.get(wire.DESCRIPTION)
    if not isinstance(description, ConfigRecord):
        raise WireError("a supernode's answer holds no description of its shard")
    if wire.ERROR in description:
        sender = f"client {wire.integer(description, wire.PARTITION_ID, 'a supernode')}"
        raise FedMVPError(f"{sender}: {description[wire.ERROR]!s}")
    return description


def _check_clients(config: RunConfig, supernodes: int) -> None:
    if config.clients not in (0, supernodes):
        raise ConfigError(
            f"clients is {config.clients}, but there are {supernodes} supernodes; make them equal, "
            "or set clients to 0 for one shard a supernode"
        )


def _node(node_id: int, description: ConfigRecord) -> Node:
    return Node(
        node_id=node_id,
        partition_id=wire.integer(description, wire.PARTITION_ID, "a supernode"),
        num_examples=_images(description),
        classes=json.loads(str(description.get(wire.CLASSES, "{}"))),
        domains=json.loads(str(description.get(wire.DOMAINS, "{}"))),
    )


def _images(description: ConfigRecord) -> int:
    if wire.NUM_EXAMPLES not in description:
        return 0
    return wire.integer(description, wire.NUM_EXAMPLES, "a supernode")


def _too_few(found: dict[int, Node], expected: int | None, config: RunConfig) -> str:
    if expected is None:
        return f"no supernode answered within node-timeout ({config.node_timeout:g} s)"
    missing = sorted(set(range(expected)) - set(found))
    return (
        f"{len(found)} of {expected} supernodes answered within node-timeout "
        f"({config.node_timeout:g} s); missing partition ids: {', '.join(map(str, missing))}"
    )
