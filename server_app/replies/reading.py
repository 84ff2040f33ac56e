"""What comes back from clients, checked before it counts.

A reply that is an error, answers another round, lacks something, holds other tensors than asked for
or numbers that are not finite, claims more images than its client has, or moves the prompts much
further than others do is refused with one sentence; the others of the round still count.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from flwr.app import Message, MetricRecord

from fedmvp_core import protocol
from fedmvp_core.errors import WireError
from fedmvp_core.metrics.names import ACCURACY, MAP
from fedmvp_core.wire import wire_bytes
from server_app.aggregation import Update, UpdatesFile
from server_app.replies.checks import (
    FAILED,
    REPORTED,
    WITHOUT_METRICS,
    Asked,
    RefusedError,
    Reported,
    cause_of,
    check_examples,
    check_round,
    check_sender,
    phase_of,
    records_of,
    refusing,
    reported_by,
    tensors_of,
    unpacked,
)
from server_app.replies.lost_workers import check_worker
from server_app.replies.norms import Refusal, too_long

__all__ = [
    "FAILED",
    "REPORTED",
    "WITHOUT_METRICS",
    "Asked",
    "Checked",
    "Reported",
    "read_evaluation",
    "read_updates",
]


@dataclass(frozen=True)
class Checked:
    """Usable updates and what they report, by partition id, and why the others are refused."""

    updates: list[Update]
    reported: list[Reported]
    refused: list[Refusal]


def read_updates(
    replies: Iterable[Message], asked: Asked, kept: UpdatesFile | None = None
) -> Checked:
    """Check each reply by itself, then the sound ones against each other.

    Of several replies of a client the first that is sound counts. Replies may arrive while this
    waits for them; what is needed of one is kept, in `kept` if there is one, and it is let go.

    Raises:
        WorkerLostError: the engine lost a client; the others of the round are not waited for.
    """
    accepted: dict[int, tuple[Update, Reported]] = {}
    refused: list[Refusal] = []
    for reply in replies:
        check_worker(reply, f"in round {asked.round}")
        try:
            update, reported = _read_update(reply, asked)
            if update.partition_id in accepted:
                raise RefusedError("duplicate", f"client {update.partition_id} replied twice")
            if kept is not None:
                update = replace(update, tensors=kept.keep(update.tensors))
            accepted[update.partition_id] = update, reported
        except RefusedError as error:
            refused.append(error.refusal)
    ordered = [accepted[partition_id] for partition_id in sorted(accepted)]
    long = too_long([update for update, _ in ordered], asked.tensors, asked.longest)
    count = [(update, reported) for update, reported in ordered if update.partition_id not in long]
    return Checked([u for u, _ in count], [r for _, r in count], [*refused, *long.values()])


def _read_update(reply: Message, asked: Asked) -> tuple[Update, Reported]:
    """A reply as an update.

    Raises:
        RefusedError: it is an error, or its tensors or metrics are not what was asked for.
    """
    prompts, metrics, facts = records_of(reply)
    with refusing("metrics"):
        partition_id = protocol.integer(metrics, protocol.PARTITION_ID, "a client")
    sender = f"client {partition_id}"
    with refusing("sender"):
        check_sender(reply, partition_id, asked)
    with refusing("stale"):
        check_round(facts, asked.round, sender)
    with refusing("metrics"):
        counted = protocol.NUM_EXAMPLES in asked.metrics
        num_examples = protocol.integer(metrics, protocol.NUM_EXAMPLES, sender) if counted else 1
        reported = reported_by(metrics, facts, asked, sender)
    with refusing("examples"):
        check_examples(num_examples, asked.most_images.get(partition_id), sender)
    with refusing("tensors"):
        protocol.check_schema(
            protocol.schema_hash(asked.tensors), str(facts.get(protocol.SCHEMA)), sender
        )
        names = asked.phase_tensors(phase_of(metrics, partition_id, asked))
        tensors = unpacked(tensors_of(prompts, asked.tensors, sender), names, facts, asked, sender)
    with refusing("not-finite"):
        protocol.check_finite(tensors, sender)
    with refusing("tensors"):
        protocol.check_layout(tensors, asked.tensors, names, sender)
    reported = replace(reported, bytes_up=wire_bytes(tensors, asked.wire_dtype))
    return Update(partition_id, tensors, num_examples, reported.metrics), reported


def read_evaluation(reply: Message) -> tuple[str, float, int]:
    """The headline of one evaluation, its value in [0, 1], and the number of images.

    Raises:
        WireError: it is an error, or its metrics are not what was asked for.
        WorkerLostError: the engine lost the client.
    """
    check_worker(reply, "in an evaluation")
    if reply.has_error():
        raise WireError(f"a client failed: {cause_of(reply.error)}")
    metrics = reply.content.get(protocol.METRICS)
    if not isinstance(metrics, MetricRecord):
        raise WireError("a reply lacks metrics")
    metric = MAP if MAP in metrics else ACCURACY
    value = protocol.number(metrics, metric, "a client")
    images = protocol.integer(metrics, protocol.NUM_EXAMPLES, "a client")
    if not 0 <= value <= 1 or images < 0:
        raise WireError(f"a client claims {metric} {value} on {images} images")
    return metric, value, images
