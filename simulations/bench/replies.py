"""Made-up replies of a round, and what an aggregation makes of them as in a run."""

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import torch
from flwr.app import (
    ArrayRecord,
    ConfigRecord,
    Message,
    MessageType,
    MetricRecord,
    RecordDict,
)
from flwr.supercore.task_identity import TaskIdentity
from torch import Tensor

from fedmvp_core import protocol
from fedmvp_core.config import parse_config
from fedmvp_core.seeding import generator
from server_app.aggregation import ConfiguredAggregation, UpdatesFile
from server_app.replies.reading import REPORTED, Asked, read_updates
from simulations.runner.project import default_config

PHASE, IMAGES, ROUND = "all", 16, 1
_TENSORS = 8  # of equal sizes


def current_tensors(numbers: int) -> dict[str, Tensor]:
    """The server's, all zeros; so many numbers in tensors of equal sizes."""
    return {f"prompt-{i}": torch.zeros(numbers // _TENSORS) for i in range(_TENSORS)}


def play_round(
    aggregation: str, clients: int, numbers: int, hold: bool = False
) -> dict[str, Tensor]:
    """What the aggregation makes of the replies of so many clients.

    hold: have all replies before the first is looked at, as Flower's own strategies do.
    """
    current = current_tensors(numbers)
    replies: Iterable[Message] = arriving_replies(current, clients)
    if hold:
        replies = list(replies)
    asked = Asked(
        round=ROUND,
        nodes={client: client + 1 for client in range(clients)},
        tensors=current,
        phases={},
        method_phases=(PHASE,),
        phase_tensors=lambda phase: tuple(current),
        metrics=REPORTED,
        most_images={},
        longest=20.0,
    )
    rule = ConfiguredAggregation(parse_config({**default_config(), "aggregation": aggregation}))
    with tempfile.TemporaryDirectory() as folder, UpdatesFile(Path(folder)) as kept:
        checked = read_updates(replies, asked, kept)
        assert len(checked.updates) == clients, checked.refused
        return rule.rule()(checked.updates, current)


def arriving_replies(current: Mapping[str, Tensor], clients: int) -> Iterator[Message]:
    """Sound replies, each made when it is asked for, the last client's first."""
    TaskIdentity.run_id, TaskIdentity.task_id, TaskIdentity.node_id = 1, 1, 1
    for client in reversed(range(clients)):
        draw = generator(1, "reply", client)
        moved = {n: torch.randn(t.shape, generator=draw) for n, t in current.items()}
        metrics: dict[str, int | float | list[float]] = dict.fromkeys(REPORTED, 0.5)
        metrics |= {protocol.PARTITION_ID: client, protocol.NUM_EXAMPLES: IMAGES}
        metrics |= {protocol.PHASE_NUMBER: 0}
        facts: dict[str, str | int] = {
            protocol.SCHEMA: protocol.schema_hash(current),
            protocol.PHASE: PHASE,
            protocol.ROUND: ROUND,
        }
        content = RecordDict(
            {
                protocol.PROMPTS: ArrayRecord(moved),
                protocol.METRICS: MetricRecord(dict(metrics)),
                protocol.CONFIG: ConfigRecord(dict(facts)),
            }
        )
        sent = Message(RecordDict(), dst_node_id=client + 1, message_type=MessageType.TRAIN)
        yield Message(content, reply_to=sent)
