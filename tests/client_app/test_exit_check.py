"""Nothing leaves a client but the tensors, numbers and words that both sides have agreed on."""

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from federation_harness import client_context, run_federation, run_folder, set_identity
from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from torch import Tensor

from client_app.exit_check import (
    check_description,
    check_evaluation,
    check_training,
    keep_words,
)
from fedmvp_core import protocol
from fedmvp_core.config import RunConfig
from fedmvp_core.errors import FedMVPError, WireError
from fedmvp_core.prompting import FULL

EXPECTED = {"a": torch.zeros(2, 3), "b": torch.zeros(())}
MEASURED: dict[str, Any] = {
    protocol.PARTITION_ID: 3,
    protocol.PHASE_NUMBER: 0,
    protocol.NUM_EXAMPLES: 12,
    protocol.TRAIN_LOSS: 0.5,
    protocol.SECONDS: 1.0,
    protocol.IMAGES_ENCODED: 0,
    protocol.SENTENCES_ENCODED: 0,
    "step-loss": [0.6, 0.4],
}
PHASES = (FULL, "lora")
BARE = {key: MEASURED[key] for key in (protocol.PARTITION_ID, protocol.PHASE_NUMBER)}
FACTS: dict[str, Any] = {
    protocol.SCHEMA: "0123456789abcdef",
    protocol.PHASE: FULL,
    protocol.ROUND: 1,
}


def reply(
    tensors: dict[str, Tensor] | None = None,
    metrics: dict[str, Any] | None = None,
    facts: dict[str, Any] | None = None,
    **more: Any,
) -> RecordDict:
    records: dict[str, Any] = {
        protocol.PROMPTS: ArrayRecord(EXPECTED if tensors is None else tensors),
        protocol.METRICS: MetricRecord(MEASURED if metrics is None else metrics),
        protocol.CONFIG: ConfigRecord(FACTS if facts is None else facts),
    }
    return RecordDict(records | more)


def test_what_was_agreed_on_may_leave() -> None:
    check_training(reply(), EXPECTED, PHASES, measured=True)
    check_training(reply(metrics=BARE), EXPECTED, PHASES, measured=False)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        # tensors
        (reply({**EXPECTED, "images": torch.zeros(4)}), "unexpected images"),
        (reply({"a": EXPECTED["a"]}), "lacks b"),
        (reply({**EXPECTED, "a": torch.zeros(3, 2)}), r"'a' is \(3, 2\)"),
        (reply({**EXPECTED, "a": torch.zeros(2, 3, dtype=torch.float64)}), "float64"),
        (reply({**EXPECTED, "a": EXPECTED["a"] / 0}), "'a' holds NaN"),
        # metrics
        (reply(metrics=MEASURED | {"label-histogram": [1, 2]}), "would hold label-histogram"),
        (reply(metrics=MEASURED | {"step-Dog": [1.0]}), "would hold step-Dog"),
        (reply(metrics=MEASURED | {protocol.TRAIN_LOSS: math.nan}), "'train-loss' is no finite"),
        (reply(metrics=MEASURED | {protocol.TRAIN_LOSS: [0.1]}), "'train-loss' is no finite"),
        (reply(metrics=MEASURED | {"step-loss": [math.inf]}), "'step-loss' is not a list"),
        # words
        (reply(facts=FACTS | {"classes": "dog, cat"}), "would hold classes"),
        (reply(facts=FACTS | {protocol.SCHEMA: "dog"}), "'schema-hash' is no hash"),
        (reply(facts=FACTS | {protocol.PHASE: "dog"}), "'phase' is 'dog'; expected full or lora"),
        (reply(facts=FACTS | {protocol.ROUND: "dog"}), "'server-round' is no finite number"),
        # records
        (reply(notes=ConfigRecord({"text": "dog"})), "records would hold notes"),
        (reply(pictures=ArrayRecord(EXPECTED)), "records would hold pictures"),
    ],
)
def test_anything_else_stays(content: RecordDict, message: str) -> None:
    with pytest.raises(WireError, match=f"this client's reply: .*{message}"):
        check_training(content, EXPECTED, PHASES, measured=True)


@pytest.mark.parametrize("key", sorted(set(MEASURED) - set(BARE)))
def test_no_measurement_leaves_without_leave(key: str) -> None:
    with pytest.raises(WireError, match=f"would hold {key}, which may not leave"):
        check_training(reply(metrics=BARE | {key: MEASURED[key]}), EXPECTED, PHASES, measured=False)


def test_an_evaluation_is_a_headline_and_a_count() -> None:
    metrics = {protocol.PARTITION_ID: 3, protocol.NUM_EXAMPLES: 9, "accuracy": 0.5}
    facts = {protocol.SCHEMA: FACTS[protocol.SCHEMA]}
    check_evaluation(reply({}, metrics, facts))
    for broken in (
        reply(EXPECTED, metrics, facts),
        reply({}, metrics | {"accuracy-of-dogs": 0.1}, facts),
        reply({}, metrics | {"accuracy": math.nan}, facts),
    ):
        with pytest.raises(WireError, match="this client's reply"):
            check_evaluation(broken)


def described(**values: Any) -> RecordDict:
    keys = {name.replace("_", "-"): value for name, value in values.items()}
    return RecordDict({protocol.DESCRIPTION: ConfigRecord(keys)})


@pytest.mark.parametrize(
    ("named", "measured", "values", "refused"),
    [
        (True, True, {"classes": '{"dog": 3}', "domains": "{}", "num_examples": 3}, ""),
        (False, True, {"num_examples": 3}, ""),
        (False, True, {"classes": '{"dog": 3}'}, "classes"),
        (False, True, {"domains": "{}"}, "domains"),
        (False, False, {"num_examples": 3}, "num-examples"),
        (True, True, {"folder": "/data/dogs"}, "folder"),
    ],
)
def test_a_description_tells_what_the_run_lets_it_tell(
    named: bool, measured: bool, values: dict[str, Any], refused: str
) -> None:
    content = described(partition_id=1, num_partitions=2, **values)
    if not refused:
        check_description(content, named, measured)
        return
    with pytest.raises(WireError, match=f"would hold {refused}, which may not leave"):
        check_description(content, named, measured)


@pytest.mark.parametrize("shared", [True, False])
def test_the_words_of_an_error_leave_only_with_the_names(
    small_run: Callable[..., RunConfig], shared: bool
) -> None:
    set_identity()
    config = small_run(share_class_names=shared)
    original = ValueError("client 1 holds images of 'dog' alone")

    def fail(message: Message, context: object) -> Message:
        raise original

    message = Message(RecordDict(), dst_node_id=5, message_type="train")
    with pytest.raises((ValueError, FedMVPError)) as caught:
        keep_words(message, client_context(config, 1, 2), fail)
    assert ("dog" in str(caught.value)) is shared
    assert (caught.value if shared else caught.value.__cause__) is original


def sent_by_clients(config: RunConfig, clients: int = 3) -> str:
    """Every byte that is no tensor, of all that the clients of a whole run have sent."""
    grid = run_federation(config, clients)
    records = [
        record
        for message in grid.replies
        if not message.has_error()
        for record in message.content.values()
        if not isinstance(record, ArrayRecord)
    ]
    errors = [str(message.error.reason) for message in grid.replies if message.has_error()]
    return json.dumps([{k: str(v) for k, v in record.items()} for record in records]) + str(errors)


def test_a_run_without_names_and_metrics(small_run: Callable[..., RunConfig]) -> None:
    """It runs to its end, and the classes, domains and counts are nowhere in what was sent."""
    config = small_run(share_class_names=False, share_metrics=False)
    sent = sent_by_clients(config)
    for word in ("ant", "bee", "cow", "drawn", "photo", "loss", "examples", "seconds", "encoded"):
        assert f'"{word}' not in sent.replace("\\", ""), word
        assert f"-{word}" not in sent, word
    status = json.loads((run_folder(config) / "status.json").read_text(encoding="utf-8"))
    assert status["status"] == "completed"
    shards = json.loads((run_folder(config) / "shards.json").read_text(encoding="utf-8"))
    assert [shard["classes"] for shard in shards] == [{}, {}, {}]


def test_names_are_in_what_is_sent_when_they_may_be(small_run: Callable[..., RunConfig]) -> None:
    """The words that the test above looks for would be found."""
    sent = sent_by_clients(small_run(rounds=1))
    for word in ("ant", "bee", "cow", "drawn", "photo"):
        assert f'"{word}' in sent.replace("\\", ""), word
    for word in ("loss", "examples", "encoded"):
        assert f"-{word}" in sent, word
