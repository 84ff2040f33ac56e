"""What comes back from clients, checked before it counts.

A reply that is an error, answers another round, lacks something, holds other tensors than asked for
or numbers that are not finite, claims more images than its client has, or moves the prompts much
further than others do is refused with one sentence; the others of the round still count.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord
from torch import Tensor

from fedmvp_core import wire
from fedmvp_core.errors import WireError
from fedmvp_core.metrics.names import ACCURACY, MAP
from fedmvp_core.prompting import FULL, LORA
from server_app.strategies import Update
from server_app.update_checks import Refusal, too_long

FAILED = "failed"  # the kind of a reply that holds nothing but an error
ARRAY_HEADER_BYTES = 1024  # more than NumPy writes before the numbers
STEP_METRIC = re.compile(re.escape(wire.STEP_PREFIX) + r"[a-z0-9-]{1,40}")  # rows of steps.csv
LONGEST_REASON = 600  # letters
MOST_NAMES, MOST_LETTERS = 5, 80  # of a reply's own names in a sentence about it
REPORTED = (
    wire.TRAIN_LOSS,
    wire.SECONDS,
    wire.NUM_EXAMPLES,
    wire.LORA_PHASE,
    wire.IMAGES_ENCODED,
    wire.SENTENCES_ENCODED,
)
WITHOUT_METRICS = (wire.LORA_PHASE,)  # what is left of them with share-metrics=false


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
    """Who was asked (partition id -> node id), for what, and what an answer may hold.

    tensors: all prompt tensors as they were sent. phases: of the clients that are not asked for all
    of them, by partition id. metrics: what a reply has to report. most_images: what a client may
    claim to have trained on, by partition id; absent: anything. longest: max-update-norm.
    """

    round: int
    nodes: Mapping[int, int]
    tensors: Mapping[str, Tensor]
    phases: Mapping[int, str]
    phase_tensors: Callable[[str], tuple[str, ...]]
    metrics: Sequence[str]
    most_images: Mapping[int, int]
    longest: float


@dataclass(frozen=True)
class Checked:
    """Usable updates and what they report, by partition id, and why the others are refused."""

    updates: list[Update]
    reported: list[Reported]
    refused: list[Refusal]


class _RefusedError(WireError):
    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.refusal = Refusal(kind, _one_line(reason))


def _one_line(reason: str) -> str:
    """As it may stand in a log, whatever words a client put into it."""
    shown = "".join(letter if letter.isprintable() else "?" for letter in reason[:LONGEST_REASON])
    return shown if len(reason) <= LONGEST_REASON else shown + "..."


@contextmanager
def _refusing(kind: str) -> Iterator[None]:
    """Within it, a WireError is a reason of this kind."""
    try:
        yield
    except _RefusedError:
        raise
    except WireError as error:
        raise _RefusedError(kind, str(error)) from error


def read_updates(replies: Iterable[Message], asked: Asked) -> Checked:
    """Check each reply by itself, then the sound ones against each other.

    Of several replies of a client the first that is sound counts.
    """
    accepted: dict[int, tuple[Update, Reported]] = {}
    refused: list[Refusal] = []
    for reply in replies:
        try:
            update, reported = _read_update(reply, asked)
            if update.partition_id in accepted:
                raise _RefusedError("duplicate", f"client {update.partition_id} replied twice")
            accepted[update.partition_id] = update, reported
        except _RefusedError as error:
            refused.append(error.refusal)
    ordered = [accepted[partition_id] for partition_id in sorted(accepted)]
    long = too_long([update for update, _ in ordered], asked.tensors, asked.longest)
    kept = [(update, reported) for update, reported in ordered if update.partition_id not in long]
    return Checked([u for u, _ in kept], [r for _, r in kept], [*refused, *long.values()])


def _read_update(reply: Message, asked: Asked) -> tuple[Update, Reported]:
    """A reply as an update.

    Raises:
        _RefusedError: it is an error, or its tensors or metrics are not what was asked for.
    """
    prompts, metrics, facts = _records(reply)
    with _refusing("metrics"):
        partition_id = wire.integer(metrics, wire.PARTITION_ID, "a client")
    sender = f"client {partition_id}"
    with _refusing("sender"):
        _check_sender(reply, partition_id, asked)
    with _refusing("stale"):
        _check_round(facts, asked.round, sender)
    with _refusing("metrics"):
        counted = wire.NUM_EXAMPLES in asked.metrics
        num_examples = wire.integer(metrics, wire.NUM_EXAMPLES, sender) if counted else 1
        reported = _reported(metrics, facts, asked.metrics, sender)
    with _refusing("examples"):
        _check_examples(num_examples, asked.most_images.get(partition_id), sender)
    with _refusing("tensors"):
        wire.check_schema(wire.schema_hash(asked.tensors), str(facts.get(wire.SCHEMA)), sender)
        names = asked.phase_tensors(_phase(metrics, partition_id, asked))
        tensors = _tensors(prompts, asked.tensors, sender)
    with _refusing("not-finite"):
        wire.check_finite(tensors, sender)
    with _refusing("tensors"):
        wire.check_prompt_tensors(tensors, asked.tensors, names, sender)
    return Update(partition_id, tensors, num_examples), reported


def _records(reply: Message) -> tuple[ArrayRecord, MetricRecord, ConfigRecord]:
    if reply.has_error():
        raise _RefusedError(FAILED, f"a client failed: {reply.error.reason}")
    content = reply.content
    prompts, metrics = content.get(wire.PROMPTS), content.get(wire.METRICS)
    facts = content.get(wire.CONFIG)
    if (
        isinstance(prompts, ArrayRecord)
        and isinstance(metrics, MetricRecord)
        and isinstance(facts, ConfigRecord)
    ):
        return prompts, metrics, facts
    held = ", ".join(map(repr, list(content)[:MOST_NAMES])) or "nothing"
    raise _RefusedError("records", f"a reply lacks records; it holds {held}")


def _check_sender(reply: Message, partition_id: int, asked: Asked) -> None:
    if partition_id not in asked.nodes:
        raise WireError(f"client {partition_id} was not asked in this round")
    if reply.metadata.src_node_id != asked.nodes[partition_id]:
        raise WireError(f"client {partition_id}: the reply comes from another supernode")


def _check_round(facts: ConfigRecord, round: int, sender: str) -> None:
    answered = wire.integer(facts, wire.ROUND, sender)
    if answered != round:
        raise WireError(f"{sender} answers round {answered}; expected {round}")


def _check_examples(claimed: int, most: int | None, sender: str) -> None:
    if claimed < 1:
        raise WireError(f"{sender} claims {claimed} training images; allowed: 1 or more")
    if most is not None and claimed > most:
        raise WireError(f"{sender} claims {claimed} training images; allowed: up to {most}")


def _reported(
    metrics: MetricRecord, facts: ConfigRecord, wanted: Sequence[str], sender: str
) -> Reported:
    for key in metrics:
        if key.startswith(wire.STEP_PREFIX) and not STEP_METRIC.fullmatch(key):
            raise WireError(f"{sender}: unexpected metric {key[:MOST_LETTERS]!r}")
    missing = set(wanted) - set(metrics)
    if missing:
        raise WireError(f"{sender}: the reply lacks the metrics {', '.join(sorted(missing))}")
    steps = {
        key.removeprefix(wire.STEP_PREFIX): wire.numbers(metrics, key, sender)
        for key in metrics
        if key.startswith(wire.STEP_PREFIX)
    }
    following = wire.word(facts, wire.PHASE, (FULL, LORA), sender)
    return Reported(following, {k: wire.number(metrics, k, sender) for k in wanted}, steps)


def _phase(metrics: MetricRecord, partition_id: int, asked: Asked) -> str:
    """The phase that the client was asked to train in, and says that it did."""
    phase = asked.phases.get(partition_id, FULL)
    if wire.integer(metrics, wire.LORA_PHASE, f"client {partition_id}") != int(phase == LORA):
        raise WireError(f"client {partition_id} trained in another phase than '{phase}'")
    return phase


def _tensors(prompts: ArrayRecord, sent: Mapping[str, Tensor], sender: str) -> dict[str, Tensor]:
    """The tensors of a record; none is decoded that says to be larger than any that was sent.

    Raises:
        WireError: an array is too large, or cannot be read as numbers.
    """
    largest = max(value.numel() * value.element_size() for value in sent.values())
    for name, array in prompts.items():
        if len(array.data) > largest + ARRAY_HEADER_BYTES:
            raise WireError(
                f"{sender}: prompt tensor {name[:MOST_LETTERS]!r} has {len(array.data)} bytes; "
                f"expected at most {largest}"
            )
    try:
        return prompts.to_torch_state_dict()
    # What NumPy raises of bytes that are no array is not documented; all of it means the same.
    except Exception as error:
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
