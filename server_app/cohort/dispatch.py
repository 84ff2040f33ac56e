"""What each client is sent, and who is asked."""

from collections.abc import Iterable, Mapping, Sequence

import torch
from flwr.app import ArrayRecord, ConfigRecord, Message, MessageType, RecordDict
from torch import Tensor

from fedmvp_core import protocol
from fedmvp_core.code_version import source_folder, source_hash
from fedmvp_core.seeding import generator
from server_app.cohort.nodes import Node, cohort_size


def draw_cohort(
    nodes: Sequence[Node], fraction: float, seed: int, purpose: str, round: int
) -> list[Node]:
    """A share of the clients, at least one, drawn by seed, purpose and round."""
    size = cohort_size(len(nodes), fraction)
    order = torch.randperm(len(nodes), generator=generator(seed, purpose, round))
    return [nodes[i] for i in sorted(order[:size].tolist())]


class Dispatch:
    """Sends a client what has changed since the round that it last answered.

    So the LoRA phase is small both ways.
    """

    def __init__(
        self, tensors: Mapping[str, Tensor], class_names: Sequence[str], first_phase: str
    ) -> None:
        self.sent: dict[int, int] = {}  # partition id -> bytes, of the training that is under way
        self._schema = protocol.schema_hash(tensors)
        self._class_names = protocol.class_names_text(class_names)
        self._first_phase = first_phase
        self._changed_in = dict.fromkeys(tensors, 0)  # round whose average wrote the tensor
        self._bytes = {name: protocol.num_bytes({name: value}) for name, value in tensors.items()}
        self._answered: dict[int, int] = {}  # partition id -> round whose tensors it keeps

    def changed(self, names: Iterable[str], round: int) -> None:
        """These tensors were averaged anew."""
        self._changed_in |= dict.fromkeys(names, round)

    def answered(self, partition_ids: Iterable[int], round: int) -> None:
        """These clients keep the tensors of the round."""
        self._answered |= dict.fromkeys(partition_ids, round)

    def forget(self, partition_id: int) -> None:
        """Whatever this client had been sent is not counted on."""
        self._answered.pop(partition_id, None)

    def _held(self, node: Node) -> int:
        """The round whose tensors a client keeps; 0: none."""
        return self._answered.get(node.partition_id, 0)

    def _changed_since(self, round: int) -> list[str]:
        return [name for name, last in self._changed_in.items() if last >= round]

    def messages(
        self,
        round: int,
        cohort: Sequence[Node],
        kind: str,
        tensors: Mapping[str, Tensor],
        phases: Mapping[int, str],
        told: Mapping[str, str],
    ) -> list[Message]:
        """One message for each client of the cohort.

        kind: MessageType.TRAIN or EVALUATE. tensors: the newest of all that travel. phases:
        partition id -> phase of its next training; others are in the method's first one. told: more
        entries of the config, the same for all.
        """
        if kind == MessageType.TRAIN:
            self.sent = {}
        # Of whoever has been away longest; the others are sent a part of it.
        oldest = min((self._held(node) for node in cohort), default=0)
        encoded = ArrayRecord({name: tensors[name] for name in self._changed_since(oldest)})
        return [self._message(round, node, kind, encoded, phases, told) for node in cohort]

    def _message(
        self,
        round: int,
        node: Node,
        kind: str,
        encoded: ArrayRecord,
        phases: Mapping[int, str],
        told: Mapping[str, str],
    ) -> Message:
        held = self._held(node)
        changed = self._changed_since(held)
        if kind == MessageType.TRAIN:
            self.sent[node.partition_id] = sum(self._bytes[name] for name in changed)
            self.forget(node.partition_id)  # counts as held again only when its reply is in
        config = ConfigRecord(
            {
                protocol.ROUND: round,
                protocol.SCHEMA: self._schema,
                protocol.CACHED_ROUND: held,
                protocol.PHASE: phases.get(node.partition_id, self._first_phase),
                protocol.CLASS_NAMES: self._class_names,
                protocol.SOURCES: source_hash(),
                protocol.SOURCE_FOLDER: str(source_folder()),
                **told,
            }
        )
        # The arrays are shared by the messages; nobody writes into one.
        prompts = ArrayRecord({name: encoded[name] for name in changed})
        content = RecordDict({protocol.PROMPTS: prompts, protocol.CONFIG: config})
        return Message(content, dst_node_id=node.node_id, message_type=kind)
