"""Each thing that is checked of a reply by itself; replies.py puts them in their order."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from flwr.app import ArrayRecord, ConfigRecord, Error, Message, MetricRecord
from torch import Tensor

from fedmvp_core import protocol
from fedmvp_core.config.keys import FLOAT32
from fedmvp_core.errors import WireError
from fedmvp_core.wire import from_wire, wire_layout
from server_app.replies.norms import Refusal

FAILED = "failed"  # the kind of a reply that holds nothing but an error
ARRAY_HEADER_BYTES = 1024  # more than NumPy writes before the numbers
LONGEST_REASON = 600  # letters
MOST_NAMES, MOST_LETTERS = 5, 80  # of a reply's own names in a sentence about it
REPORTED = (protocol.PHASE_NUMBER, *protocol.MEASURED)
WITHOUT_METRICS = (protocol.PHASE_NUMBER,)  # what is left of them with share-metrics=false


@dataclass(frozen=True)
class Reported:
    """What one reply says beside its tensors: numbers by name, and a list of them for each step.

    next_phase: the one that the client is to train in when it is asked again. bytes_up: of the
    numbers that it sent.
    """

    next_phase: str
    metrics: dict[str, float]
    steps: dict[str, list[float]]
    bytes_up: int = 0


@dataclass(frozen=True)
class Asked:
    """Who was asked (partition id -> node id), for what, and what an answer may hold.

    tensors: all tensors as they were sent. phases: of the clients that have left the first one, by
    partition id. method_phases: the method's, in order. metrics: what a reply has to report.
    most_images: what a client may claim to have trained on, by partition id; absent: anything.
    longest: max-update-norm. wire_dtype: in which updates travel.
    """

    round: int
    nodes: Mapping[int, int]
    tensors: Mapping[str, Tensor]
    phases: Mapping[int, str]
    method_phases: Sequence[str]
    phase_tensors: Callable[[str], tuple[str, ...]]
    metrics: Sequence[str]
    most_images: Mapping[int, int]
    longest: float
    wire_dtype: str = FLOAT32


class RefusedError(WireError):
    """A reply that does not count; `refusal` says why, as it may stand in a log."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.refusal = Refusal(kind, _one_line(reason))


def cause_of(error: Error) -> str:
    """What a client died of, in its own words, which Flower puts after Ray's traceback."""
    words = error.reason or "no reason"
    return words.rpartition("occurred. Message: ")[2].removesuffix("'>").strip()


def _one_line(reason: str) -> str:
    """As it may stand in a log, whatever words a client put into it."""
    shown = "".join(letter if letter.isprintable() else "?" for letter in reason[:LONGEST_REASON])
    return shown if len(reason) <= LONGEST_REASON else shown + "..."


@contextmanager
def refusing(kind: str) -> Iterator[None]:
    """Within it, a WireError is a reason of this kind."""
    try:
        yield
    except RefusedError:
        raise
    except WireError as error:
        raise RefusedError(kind, str(error)) from error


def records_of(reply: Message) -> tuple[ArrayRecord, MetricRecord, ConfigRecord]:
    """The tensors, metrics and facts of a reply; raises RefusedError if it has others, or none."""
    if reply.has_error():
        raise RefusedError(FAILED, f"a client failed: {cause_of(reply.error)}")
    content = reply.content
    prompts, metrics = content.get(protocol.PROMPTS), content.get(protocol.METRICS)
    facts = content.get(protocol.CONFIG)
    if (
        isinstance(prompts, ArrayRecord)
        and isinstance(metrics, MetricRecord)
        and isinstance(facts, ConfigRecord)
    ):
        return prompts, metrics, facts
    held = ", ".join(map(repr, list(content)[:MOST_NAMES])) or "nothing"
    raise RefusedError("records", f"a reply lacks records; it holds {held}")


def check_sender(reply: Message, partition_id: int, asked: Asked) -> None:
    """Raises WireError when the client was not asked, or another supernode speaks for it."""
    if partition_id not in asked.nodes:
        raise WireError(f"client {partition_id} was not asked in this round")
    if reply.metadata.src_node_id != asked.nodes[partition_id]:
        raise WireError(f"client {partition_id}: the reply comes from another supernode")


def check_round(facts: ConfigRecord, round: int, sender: str) -> None:
    """Raises WireError when a reply answers another round."""
    answered = protocol.integer(facts, protocol.ROUND, sender)
    if answered != round:
        raise WireError(f"{sender} answers round {answered}; expected {round}")


def check_examples(claimed: int, most: int | None, sender: str) -> None:
    """Raises WireError when a client claims no images, or more than `most`, if that is known."""
    if claimed < 1:
        raise WireError(f"{sender} claims {claimed} training images; allowed: 1 or more")
    if most is not None and claimed > most:
        raise WireError(f"{sender} claims {claimed} training images; allowed: up to {most}")


def reported_by(metrics: MetricRecord, facts: ConfigRecord, asked: Asked, sender: str) -> Reported:
    """What a reply reports; raises WireError when something wanted is missing or no number."""
    wanted = asked.metrics
    for key in metrics:
        if key.startswith(protocol.STEP_PREFIX) and not protocol.STEP_METRIC.fullmatch(key):
            raise WireError(f"{sender}: unexpected metric {key[:MOST_LETTERS]!r}")
    missing = set(wanted) - set(metrics)
    if missing:
        raise WireError(f"{sender}: the reply lacks the metrics {', '.join(sorted(missing))}")
    steps = {
        key.removeprefix(protocol.STEP_PREFIX): protocol.numbers(metrics, key, sender)
        for key in metrics
        if key.startswith(protocol.STEP_PREFIX)
    }
    following = protocol.word(facts, protocol.PHASE, asked.method_phases, sender)
    return Reported(following, {k: protocol.number(metrics, k, sender) for k in wanted}, steps)


def phase_of(metrics: MetricRecord, partition_id: int, asked: Asked) -> str:
    """The phase that the client was asked to train in, and says that it did."""
    phase = asked.phases.get(partition_id, asked.method_phases[0])
    found = protocol.integer(metrics, protocol.PHASE_NUMBER, f"client {partition_id}")
    if found != asked.method_phases.index(phase):
        raise WireError(f"client {partition_id} trained in another phase than '{phase}'")
    return phase


def tensors_of(prompts: ArrayRecord, sent: Mapping[str, Tensor], sender: str) -> dict[str, Tensor]:
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
    return protocol.decoded(prompts.to_torch_state_dict, sender)


def unpacked(
    sent: dict[str, Tensor], names: Sequence[str], facts: ConfigRecord, asked: Asked, sender: str
) -> dict[str, Tensor]:
    """The tensors that a client means by what it sent, which are the same with float32.

    Raises:
        WireError: what it sent is not of the round's wire-dtype, or has not a scale for each.
    """
    if asked.wire_dtype == FLOAT32:
        return sent
    protocol.check_layout(sent, wire_layout(asked.tensors, asked.wire_dtype), names, sender)
    scaled = asked.wire_dtype == "int8"
    scales = protocol.numbers(facts, protocol.SCALES, sender) if scaled else []
    if scaled and len(scales) != len(sent):
        raise WireError(f"{sender}: '{protocol.SCALES}' has {len(scales)} numbers for {len(sent)}")
    return from_wire(sent, scales, asked.tensors, asked.wire_dtype)
