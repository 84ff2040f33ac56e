"""What a supernode is asked before it takes part, and what it answers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from flwr.app import ConfigRecord, Message, MessageType, RecordDict
from flwr.common.constant import ErrorCode
from flwr.serverapp import Grid

from fedmvp_core import protocol
from fedmvp_core.code_version import source_folder, source_hash
from fedmvp_core.errors import FedMVPError, WireError
from server_app.replies.lost_workers import check_worker


@dataclass(frozen=True)
class Node:
    """A supernode and its shard: images of each class and of each domain.

    num_examples is 0 and the others are empty where a run does not let them be told. shards: how
    many the run's data set is cut into, by this node's config; 0 where its data are its own.
    """

    node_id: int
    partition_id: int
    num_examples: int
    classes: dict[str, int]
    domains: dict[str, int]
    shards: int = 0


@dataclass
class Asking:
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


def described_node(node_id: int, reply: Message) -> Node:
    """The node that answers so.

    Raises:
        FedMVPError: it cannot make its shard, or its answer is of another kind.
    """
    description, sender = _description(node_id, reply), f"supernode {node_id}"
    return Node(
        node_id=node_id,
        partition_id=protocol.integer(description, protocol.PARTITION_ID, "a supernode"),
        num_examples=_told(description, protocol.NUM_EXAMPLES),
        classes=protocol.counts_of(description, protocol.CLASSES, sender),
        domains=protocol.counts_of(description, protocol.DOMAINS, sender),
        shards=_told(description, protocol.NUM_PARTITIONS),
    )


def _told(description: ConfigRecord, name: str) -> int:
    return protocol.integer(description, name, "a supernode") if name in description else 0


def _question(node_id: int, class_names: Sequence[str]) -> Message:
    facts = {
        protocol.SOURCES: source_hash(),
        protocol.SOURCE_FOLDER: str(source_folder()),
        protocol.CLASS_NAMES: protocol.class_names_text(class_names),
    }
    content = RecordDict({protocol.CONFIG: ConfigRecord(dict(facts))})
    return Message(content, dst_node_id=node_id, message_type=MessageType.QUERY)


def _description(node_id: int, reply: Message) -> ConfigRecord:
    check_worker(reply, "before the first round")
    if reply.has_error():
        raise FedMVPError(f"a supernode fails: {reply.error.reason}")
    description = reply.content.get(protocol.DESCRIPTION)
    if not isinstance(description, ConfigRecord):
        raise WireError("a supernode's answer holds no description of its shard")
    if protocol.ERROR in description:
        sender = f"supernode {node_id}"
        if protocol.PARTITION_ID in description:
            sender = f"client {protocol.integer(description, protocol.PARTITION_ID, sender)}"
        raise FedMVPError(f"{sender}: {description[protocol.ERROR]!s}")
    return description
