"""The supernodes of a run: who they are and what they hold.

Flower starts the ServerApp before the simulated nodes are registered, and would wait for missing
ones for ever; here every node is asked first, with a deadline. In a deployment nodes come late,
leave, and come back under another id.
"""

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from flwr.app import ConfigRecord, Message, MessageType, RecordDict
from flwr.common.constant import ErrorCode
from flwr.serverapp import Grid

from fedmvp_core import wire
from fedmvp_core.config import RunConfig
from fedmvp_core.data.own_shard import OWN
from fedmvp_core.errors import ConfigError, FedMVPError, WireError
from fedmvp_core.sources import source_folder, source_hash
from server_app.logs import logger

POLL_SECONDS = 0.5
# A node that comes back is asked before a round; what it holds takes a process and a data set.
RETURN_SECONDS = 60.0


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


@dataclass
class _Asking:
    """Whom was asked, and the messages whose answers have not come: message id -> node id."""

    grid: Grid
    class_names: Sequence[str]
    asked: set[int] = field(default_factory=set)
    waiting: dict[str, int] = field(default_factory=dict)

    def ask(self, node_ids: Iterable[int]) -> None:
        """Send a question to each node that has none yet."""
        new = sorted(set(node_ids) - self.asked)
        messages = [_question(node_id, self.class_names) for node_id in new]
        self.waiting |= dict(zip(self.grid.push_messages(messages), new, strict=True))
        self.asked |= set(new)

    def answers(self) -> list[tuple[int, Message]]:
        """Answers that have come in, each with its node's id; a node that has left has none."""
        if not self.waiting:
            return []
        found = []
        for reply in self.grid.pull_messages(list(self.waiting)):
            node_id = self.waiting.pop(reply.metadata.reply_to_message_id)
            if reply.has_error() and reply.error.code == ErrorCode.NODE_UNAVAILABLE:
                self.asked.discard(node_id)  # to be asked again, should it come back
            else:
                found.append((node_id, reply))
        return found


def cohort_size(nodes: int, fraction: float) -> int:
    """How many of the nodes a round asks: a share of them, at least one."""
    return max(1, min(nodes, int(fraction * nodes + 0.5)))


def find_nodes(grid: Grid, config: RunConfig, class_names: Sequence[str]) -> list[Node]:
    """Ask every supernode what it holds; sorted by partition id.

    class_names: all that the federation trains on; a node with other classes is refused.

    Raises:
        ConfigError: their number is not that of the shards, or cannot be known.
        FedMVPError: a node cannot make its shard, two hold the same one, or some do not answer
            within node-timeout.
    """
    if config.partition == OWN and config.clients == 0:
        raise ConfigError(
            f"clients is 0 but partition is '{OWN}', where nobody else says how many nodes will "
            "come; set clients to their number"
        )
    deadline = time.monotonic() + config.node_timeout
    asking = _Asking(grid, class_names)
    found: dict[int, Node] = {}
    expected = config.clients if config.partition == OWN else None
    while expected is None or len(found) < expected:
        asking.ask(grid.get_node_ids())
        answers = asking.answers()
        for node_id, reply in answers:
            description = _description(node_id, reply)
            if config.partition != OWN:
                expected = wire.integer(description, wire.NUM_PARTITIONS, "a supernode")
                _check_clients(config, expected)
            node = _node(node_id, description)
            _refuse_twins(found, node)
            found[node.partition_id] = node
        if not answers:
            if time.monotonic() > deadline:
                raise FedMVPError(_too_few(found, expected, config))
            time.sleep(POLL_SECONDS)
    return [found[partition_id] for partition_id in sorted(found)]


def with_returned(grid: Grid, nodes: Sequence[Node], class_names: Sequence[str]) -> list[Node]:
    """The same shards, those of absent nodes by the new ids under which they have come back.

    A SuperNode without a key of its own gets another id each time that it is started. Who is new
    and holds a shard of nobody absent is left alone.
    """
    present = set(grid.get_node_ids())
    absent = {node.partition_id for node in nodes if node.node_id not in present}
    new = present - {node.node_id for node in nodes}
    if not absent or not new:
        return list(nodes)
    deadline = time.monotonic() + RETURN_SECONDS
    asking = _Asking(grid, class_names)
    asking.ask(new)
    returned: dict[int, Node] = {}
    while asking.waiting and time.monotonic() < deadline:
        for node_id, reply in asking.answers():
            try:
                node = _node(node_id, _description(node_id, reply))
            except FedMVPError as error:
                logger.warning("supernode %d is left out: %s", node_id, error)
                continue
            if node.partition_id in absent:
                logger.info("client %d is back as supernode %d", node.partition_id, node_id)
                returned[node.partition_id] = node
        if asking.waiting:
            time.sleep(POLL_SECONDS)
    return [returned.get(node.partition_id, node) for node in nodes]


def _question(node_id: int, class_names: Sequence[str]) -> Message:
    facts = {
        wire.SOURCES: source_hash(),
        wire.SOURCE_FOLDER: str(source_folder()),
        wire.CLASS_NAMES: json.dumps(list(class_names), ensure_ascii=False),
    }
    content = RecordDict({wire.CONFIG: ConfigRecord(dict(facts))})
    return Message(content, dst_node_id=node_id, message_type=MessageType.QUERY)


def _description(node_id: int, reply: Message) -> ConfigRecord:
    if reply.has_error():
        raise FedMVPError(f"a supernode fails: {reply.error.reason}")
    description = reply.content.get(wire.DESCRIPTION)
    if not isinstance(description, ConfigRecord):
        raise WireError("a supernode's answer holds no description of its shard")
    if wire.ERROR in description:
        sender = f"supernode {node_id}"
        if wire.PARTITION_ID in description:
            sender = f"client {wire.integer(description, wire.PARTITION_ID, sender)}"
        raise FedMVPError(f"{sender}: {description[wire.ERROR]!s}")
    return description


def _refuse_twins(found: dict[int, Node], node: Node) -> None:
    other = found.get(node.partition_id)
    if other is not None:
        raise FedMVPError(
            f"supernodes {other.node_id} and {node.node_id} both have partition-id "
            f"{node.partition_id}; give each a number of its own in its node config"
        )


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
    ids = sorted(found) if config.partition == OWN else sorted(set(range(expected)) - set(found))
    which = "those that did have" if config.partition == OWN else "missing"
    return (
        f"{len(found)} of {expected} supernodes answered within node-timeout "
        f"({config.node_timeout:g} s); {which} partition ids: {', '.join(map(str, ids)) or 'none'}"
    )
