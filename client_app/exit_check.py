"""The last look at what leaves a client: nothing but what both sides have agreed on.

A reply is refused here, at the client, if it holds a record, tensor, metric or word that the schema
does not name, however it came there; the server's own checks come too late for what is private.
"""

import math
import re
from collections.abc import Collection, Mapping

from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp.typing import ClientAppCallable
from torch import Tensor

from fedmvp_core import protocol
from fedmvp_core.errors import FedMVPError, WireError
from fedmvp_core.metrics.names import ACCURACY, MAP
from fedmvp_core.secure.records import RECORD, REPLIED

SENDER = "this client's reply"
MOST_BYTES = 256  # of a key or a sealed pair of shares; an update has more


def check_training(
    content: RecordDict, expected: Mapping[str, Tensor], phases: Collection[str], measured: bool
) -> None:
    """A trained client sends these tensors, and numbers about the training if `measured`.

    expected: tensors of the client's phase, of the shapes and types to be sent. phases: the
    method's.

    Raises:
        WireError: the content holds anything else, or lacks a tensor; it says what.
    """
    prompts, metrics = _records(content, phases)
    tensors = prompts.to_torch_state_dict()
    protocol.check_prompt_tensors(tensors, expected, expected, SENDER)
    allowed = (*protocol.ALWAYS, *protocol.MEASURED) if measured else protocol.ALWAYS
    steps = [key for key in metrics if measured and protocol.STEP_METRIC.fullmatch(key)]
    _check_names(metrics, {*allowed, *steps}, protocol.METRICS)
    for key in steps:
        protocol.numbers(metrics, key, SENDER)
    _check_numbers(metrics, set(metrics) - set(steps))


def check_evaluation(content: RecordDict) -> None:
    """An evaluating client sends one headline and the number of images behind it, no tensors.

    Raises:
        WireError: the content holds anything else.
    """
    prompts, metrics = _records(content, ())
    protocol.check_prompt_tensors(prompts.to_torch_state_dict(), {}, (), SENDER)
    _check_names(
        metrics, {*protocol.ALWAYS, protocol.NUM_EXAMPLES, ACCURACY, MAP}, protocol.METRICS
    )
    _check_numbers(metrics, metrics)


def check_description(content: RecordDict, named: bool, measured: bool) -> None:
    """A client says who it is; what it holds if `named`, how many images it has if `measured`.

    Raises:
        WireError: the content holds anything else.
    """
    _check_names(content, {protocol.DESCRIPTION}, "records")
    description = content[protocol.DESCRIPTION]
    words = {protocol.CLASSES, protocol.DOMAINS} if named else set()
    numbers = {protocol.PARTITION_ID, protocol.NUM_PARTITIONS} | (
        {protocol.NUM_EXAMPLES} if measured else set()
    )
    _check_names(description, words | numbers | {protocol.ERROR}, protocol.DESCRIPTION)
    _check_numbers(description, numbers & set(description))


def check_secure(content: RecordDict) -> None:
    """A client sends public keys, sealed shares and, at the end, shares that it holds: plain bytes.

    Raises:
        WireError: the content holds anything else.
    """
    _check_names(content, {RECORD}, "records")
    record = content.config_records[RECORD]
    _check_names(record, REPLIED, RECORD)
    _check_numbers(record, {protocol.PARTITION_ID})
    lists = {key: value for key, value in record.items() if isinstance(value, list)}
    if any(len(data) > MOST_BYTES for key in lists for data in lists[key] if type(data) is bytes):
        raise WireError(f"{SENDER}: more than {MOST_BYTES} bytes are no keys and no shares")


def keep_words(message: Message, context: Context, call_next: ClientAppCallable) -> Message:
    """A mod: what an error says may name classes and folders, so it is told only if they may be.

    Flower sends the words of an exception to the server; the original stays in the client's log.
    """
    try:
        return call_next(message, context)
    except Exception as error:
        if context.run_config.get("share-class-names") is True:
            raise
        raise FedMVPError(unnamed(error)) from error


def unnamed(error: Exception) -> str:
    """What may be said of an error by a client that shares no names."""
    return f"{type(error).__name__}; share-class-names is false, so only the client's log says more"


def _records(content: RecordDict, phases: Collection[str]) -> tuple[ArrayRecord, MetricRecord]:
    """The tensors and metrics of a reply, whose other words are a hash and a phase."""
    _check_names(content, {protocol.PROMPTS, protocol.METRICS, protocol.CONFIG}, "records")
    facts = content.config_records[protocol.CONFIG]
    named = {protocol.SCHEMA, protocol.PHASE, protocol.ROUND, protocol.SCALES}
    _check_names(facts, named, protocol.CONFIG)
    if not re.fullmatch("[0-9a-f]{16}", str(facts.get(protocol.SCHEMA))):
        raise WireError(f"{SENDER}: '{protocol.SCHEMA}' is no hash")
    if protocol.PHASE in facts:
        protocol.word(facts, protocol.PHASE, phases, SENDER)
    _check_numbers(facts, {protocol.ROUND} & set(facts))
    if protocol.SCALES in facts:
        scales = protocol.numbers(facts, protocol.SCALES, SENDER)
        if len(scales) != len(content.array_records[protocol.PROMPTS]):
            raise WireError(f"{SENDER}: '{protocol.SCALES}' has {len(scales)} numbers")
    return content.array_records[protocol.PROMPTS], content.metric_records[protocol.METRICS]


def _check_names(found: Collection[str], allowed: Collection[str], where: str) -> None:
    extra = sorted(set(found) - set(allowed))
    if extra:
        raise WireError(
            f"{SENDER}: {where} would hold {', '.join(extra[:5])}, which may not leave; "
            f"allowed: {', '.join(sorted(allowed))}"
        )


def _check_numbers(record: Mapping[str, object], keys: Collection[str]) -> None:
    for key in sorted(keys):
        value = record[key]
        if not isinstance(value, int | float) or not math.isfinite(value):
            raise WireError(f"{SENDER}: '{key}' is no finite number")
