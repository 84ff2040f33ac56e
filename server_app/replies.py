"""What comes back from clients, checked before it counts.

A reply that is an error, lacks something, holds other tensors than asked for or numbers that are
not finite is refused with one sentence; the others of the round still count.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord
from torch import Tensor

from fedmvp_core import wire
from fedmvp_core.errors import WireError
from fedmvp_core.metrics.names import ACCURACY, MAP
from fedmvp_core.prompting import FULL, LORA
from server_app.strategies import Update

REPORTED = (
    wire.TRAIN_LOSS,
    wire.SECONDS,
    wire.NUM_EXAMPLES,
    wire.LORA_PHASE,
    wire.IMAGES_ENCODED,
    wire.SENTENCES_ENCODED,
)


@dataclass(frozen=True)
class Reported:
    """What one reply says beside its tensors: numbers by name, and a list of them for each step.

    next_phase: the one that the client is to train in when it is asked again.
    """

    next_phase: str
    metrics: dict[str, float]
    steps: dict[str, list[float]]


@dataclass(frozen=True)
class Asked:
    """Who was asked (partition id -> node id), and what an answer holds in each phase."""

    nodes: Mapping[int, int]
    schema: Mapping[str, Tensor]
    phase_tensors: Callable[[str], tuple[str, ...]]


def read_updates(
    replies: Iterable[Message], asked: Asked
) -> tuple[list[Update], list[Reported], list[str]]:
    """Usable updates and their metrics, by partition id, and why the others are refused."""
    accepted: dict[int, tuple[Update, Reported]] = {}
    refused = []
    for reply in replies:
        try:
            update, metrics = _read_update(reply, asked)
            if update.partition_id in accepted:
                raise WireError(f"client {update.partition_id} replied twice")
            accepted[update.partition_id] = update, metrics
        except WireError as error:
            refused.append(str(error))
    ordered = [accepted[partition_id] for partition_id in sorted(accepted)]
    return [update for update, _ in ordered], [metrics for _, metrics in ordered], refused


def _read_update(reply: Message, asked: Asked) -> tuple[Update, Reported]:
    """A reply as an update.

    Raises:
        WireError: it is an error, or its tensors or metrics are not what was asked for.
    """
    prompts, metrics, facts = _records(reply)
    missing = {wire.PARTITION_ID, *REPORTED} - set(metrics)
    if missing:
        raise WireError(f"a reply lacks the metrics {', '.join(sorted(missing))}")
    partition_id = wire.integer(metrics, wire.PARTITION_ID, "a client")
    sender = f"client {partition_id}"
    if partition_id not in asked.nodes:
        raise WireError(f"{sender} was not asked in this round")
    if reply.metadata.src_node_id != asked.nodes[partition_id]:
        raise WireError(f"{sender}: the reply comes from another supernode")
    num_examples = wire.integer(metrics, wire.NUM_EXAMPLES, sender)
    if num_examples < 1:
        raise WireError(f"{sender} claims {num_examples} training images; allowed: 1 or more")
    wire.check_schema(wire.schema_hash(asked.schema), str(facts.get(wire.SCHEMA)), sender)
    tensors = _tensors(prompts, sender)
    phase = LORA if wire.integer(metrics, wire.LORA_PHASE, sender) else FULL
    wire.check_prompt_tensors(tensors, asked.schema, asked.phase_tensors(phase), sender)
    reported = {key: wire.number(metrics, key, sender) for key in REPORTED}
    steps = {
        key.removeprefix(wire.STEP_PREFIX): wire.numbers(metrics, key, sender)
        for key in metrics
        if key.startswith(wire.STEP_PREFIX)
    }
    following = wire.word(facts, wire.PHASE, (FULL, LORA), sender)
    return Update(partition_id, tensors, num_examples), Reported(following, reported, steps)


def _records(reply: Message) -> tuple[ArrayRecord, MetricRecord, ConfigRecord]:
    if reply.has_error():
        raise WireError(f"a client failed: {reply.error.reason}")
    content = reply.content
    prompts, metrics = content.get(wire.PROMPTS), content.get(wire.METRICS)
    facts = content.get(wire.CONFIG)
    if (
        isinstance(prompts, ArrayRecord)
        and isinstance(metrics, MetricRecord)
        and isinstance(facts, ConfigRecord)
    ):
        return prompts, metrics, facts
    raise WireError(f"a reply lacks records; it holds {', '.join(content) or 'nothing'}")


def _tensors(prompts: ArrayRecord, sender: str) -> dict[str, Tensor]:
    """The tensors of a record.

    Raises:
        WireError: an array cannot be read as numbers.
    """
    try:
        return prompts.to_torch_state_dict()
    except (TypeError, ValueError, EOFError) as error:
        raise WireError(f"{sender}: a prompt tensor cannot be read: {error}") from error


def read_evaluation(reply: Message) -> tuple[str, float, int]:
    """The headline of one evaluation, its value in [0, 1], and the number of images.

    Raises:
        WireError: it is an error, or its metrics are not what was asked for.
    """
    if reply.has_error():
        raise WireError(f"a client failed: {reply.error.reason}")
    metrics = reply.content.get(wire.METRICS)
    if not isinstance(metrics, MetricRecord):
        raise WireError("a reply lacks metrics")
    metric = MAP if MAP in metrics else ACCURACY
    value = wire.number(metrics, metric, "a client")
    images = wire.integer(metrics, wire.NUM_EXAMPLES, "a client")
    if not 0 <= value <= 1 or images < 0:
        raise WireError(f"a client claims {metric} {value} on {images} images")
    return metric, value, images
