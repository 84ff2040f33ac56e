"""One question of secure aggregation to some clients, and the answers that can be used."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from flwr.app import ConfigRecord, Message, MessageType, RecordDict
from flwr.serverapp import Grid

from fedmvp_core import protocol
from fedmvp_core.code_version import source_folder, source_hash
from fedmvp_core.errors import WireError
from fedmvp_core.secure.records import ATTEMPT, RECORD, Value, read_attempt
from server_app.cohort.nodes import Node
from server_app.replies.checks import FAILED, RefusedError, cause_of, refusing
from server_app.replies.lost_workers import check_worker
from server_app.replies.norms import Refusal

MALFORMED = "secagg"  # the kind of an answer that is none


@dataclass
class Answers:
    """By partition id; why others cannot be used; bytes of both ways, without envelopes."""

    records: dict[int, ConfigRecord] = field(default_factory=dict)
    refused: list[Refusal] = field(default_factory=list)
    size: int = 0


@dataclass(frozen=True)
class Asker:
    """Asks clients about one attempt at a round. timeout: seconds for the answers to a question."""

    grid: Grid
    round: int
    attempt: str
    timeout: float

    def ask(
        self, action: str, nodes: Sequence[Node], told: Mapping[int, Mapping[str, Value]]
    ) -> Answers:
        """What clients answer; one that fails, or answers something else, has dropped out.

        told: what each is told, by partition id.

        Raises:
            WorkerLostError: the engine lost a client.
        """
        found, clients = Answers(), {node.node_id: node.partition_id for node in nodes}
        messages = [self._message(action, node, told[node.partition_id]) for node in nodes]
        found.size += sum(message_size(message.content) for message in messages)
        for reply in self.grid.send_and_receive(messages, timeout=self.timeout):
            check_worker(reply, f"in round {self.round}")
            try:
                client, record = self._read(reply, clients)
                found.records.setdefault(client, record)
                found.size += message_size(reply.content)
            except RefusedError as error:
                found.refused.append(error.refusal)
        return found

    def record(self, told: Mapping[str, Value]) -> ConfigRecord:
        """What goes with a message of this attempt."""
        return ConfigRecord({ATTEMPT: self.attempt, **told})

    def _message(self, action: str, node: Node, told: Mapping[str, Value]) -> Message:
        facts: dict[str, str | int] = {
            protocol.ROUND: self.round,
            protocol.SOURCES: source_hash(),
            protocol.SOURCE_FOLDER: str(source_folder()),
        }
        content = RecordDict(
            {protocol.CONFIG: ConfigRecord(dict(facts)), RECORD: self.record(told)}
        )
        kind = f"{MessageType.QUERY}.{action}"
        return Message(content, dst_node_id=node.node_id, message_type=kind)

    def _read(self, reply: Message, clients: Mapping[int, int]) -> tuple[int, ConfigRecord]:
        if reply.has_error():
            raise RefusedError(FAILED, f"a client failed: {cause_of(reply.error)}")
        record = reply.content.get(RECORD)
        with refusing(MALFORMED):
            if not isinstance(record, ConfigRecord):
                raise WireError(f"an answer holds no record '{RECORD}'")
            client = protocol.integer(record, protocol.PARTITION_ID, "a client")
            if clients.get(reply.metadata.src_node_id) != client:
                raise WireError(f"client {client}: the answer comes from another supernode")
            if read_attempt(record, f"client {client}") != self.attempt:
                raise WireError(f"client {client} answers another attempt")
        return client, record


def message_size(content: RecordDict) -> int:
    """Bytes of the keys, shares and numbers under RECORD."""
    record = content.get(RECORD)
    return sum(map(_size, record.values())) if isinstance(record, ConfigRecord) else 0


def _size(value: object) -> int:
    if isinstance(value, list):
        return sum(map(_size, value))
    return len(value) if isinstance(value, str | bytes) else 8
