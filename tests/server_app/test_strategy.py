"""What the server sends to whom, and which replies it averages."""

import logging
import math
import random
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from exchanges import exchange_of
from federation_harness import FIRST_NODE, SerialGrid, error_reply, set_identity
from flwr.app import (
    Array,
    ArrayRecord,
    ConfigRecord,
    Message,
    MessageType,
    MetricRecord,
    RecordDict,
)
from torch import Tensor

from fedmvp_core import protocol
from fedmvp_core.code_version import source_folder, source_hash
from fedmvp_core.config import RunConfig
from fedmvp_core.errors import ConfigError, FedMVPError
from fedmvp_core.json_logs import logger
from fedmvp_core.prompting import FULL
from fedmvp_core.prompting.promptformer import LORA, PromptFormer
from server_app.app import _rule
from server_app.cohort.nodes import Node
from server_app.records.run_folder import RunFolder
from server_app.strategy import PromptStrategy

CLIENTS = 4


@pytest.fixture
def make(
    default_config: Callable[..., RunConfig],
) -> Callable[..., PromptStrategy]:
    """A federation of four clients over a tiny PromptFormer."""
    set_identity()

    def federation(clients: int = CLIENTS, **overrides: Any) -> PromptStrategy:
        config = default_config(**overrides)
        torch.manual_seed(0)
        nodes = [Node(FIRST_NODE + i, i, 10 * (i + 1), {}, {}) for i in range(clients)]
        exchange = exchange_of(PromptFormer(8, 6, heads=2, lora_rank=2), ("ant", "bee"))
        return PromptStrategy(
            config=config,
            nodes=nodes,
            exchange=exchange,
            rule=_rule(config, exchange, nodes),
            folder=RunFolder(config),
            after_round=lambda round_number, tensors: None,
        )

    return federation


class AnsweringGrid(SerialGrid):
    """Nodes that answer when a round is repeated; `values` of the cohort, None: no answer."""

    def __init__(self, values: Sequence[float | None], clients: int = CLIENTS) -> None:
        self.values, self.clients, self.sent = values, clients, []

    def get_node_ids(self) -> Iterable[int]:
        return range(FIRST_NODE, FIRST_NODE + self.clients)

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterable[Message]:
        self.sent = list(messages)
        pairs = zip(self.sent, self.values, strict=False)
        return [answer(message, value) for message, value in pairs if value is not None]


def asked(federation: PromptStrategy, round_number: int, kind: str = "train") -> list[Message]:
    configure = federation.configure_train if kind == "train" else federation.configure_evaluate
    nothing = ArrayRecord()
    grid = AnsweringGrid([], len(federation.nodes))
    return list(configure(round_number, nothing, ConfigRecord(), grid))


def sent(message: Message) -> dict[str, Tensor]:
    return message.content.array_records[protocol.PROMPTS].to_torch_state_dict()


def partition_of(message: Message) -> int:
    return message.metadata.dst_node_id - FIRST_NODE


def round_of(message: Message) -> int:
    return protocol.integer(
        message.content.config_records[protocol.CONFIG], protocol.ROUND, "the server"
    )


def phase_of(message: Message) -> str:
    return str(message.content.config_records[protocol.CONFIG][protocol.PHASE])


def answer(
    message: Message,
    value: float = 1.0,
    phase: str = FULL,
    tensors: dict[str, Tensor] | None = None,
    metrics: dict[str, Any] | None = None,
    schema: str | None = None,
    next_phase: str | None = None,
    round: int | None = None,
) -> Message:
    """A client's reply: every tensor of the phase filled with `value`."""
    module = PromptFormer(8, 6, heads=2, lora_rank=2)
    own = module.prompt_tensors()
    filled = {name: torch.full_like(own[name], value) for name in module.phase_tensors(phase)}
    reported: dict[str, Any] = {
        protocol.PARTITION_ID: partition_of(message),
        protocol.NUM_EXAMPLES: 10 * (partition_of(message) + 1),
        protocol.TRAIN_LOSS: 0.5,
        protocol.SECONDS: 0.1,
        protocol.PHASE_NUMBER: int(phase == LORA),
        protocol.IMAGES_ENCODED: 0,
        protocol.SENTENCES_ENCODED: 0,
    }
    reported |= metrics or {}
    content = RecordDict(
        {
            protocol.PROMPTS: ArrayRecord(filled if tensors is None else tensors),
            protocol.METRICS: MetricRecord({k: v for k, v in reported.items() if v is not None}),
            protocol.CONFIG: ConfigRecord(
                {
                    protocol.SCHEMA: schema or protocol.schema_hash(own),
                    protocol.PHASE: next_phase or phase,
                    protocol.ROUND: round_of(message) if round is None else round,
                }
            ),
        }
    )
    return Message(content, reply_to=message)


def full_tensors(value: float) -> dict[str, Tensor]:
    module = PromptFormer(8, 6, heads=2, lora_rank=2)
    own = module.prompt_tensors()
    return {name: torch.full_like(own[name], value) for name in module.phase_tensors(FULL)}


# --- what is sent


def test_everything_is_sent_at_first_and_only_what_changed_later(
    make: Callable[..., PromptStrategy],
) -> None:
    federation = make()
    everything = set(federation.tensors)
    messages = asked(federation, 1)
    assert [partition_of(message) for message in messages] == [0, 1, 2, 3]
    for message in messages:
        assert set(sent(message)) == everything
        config = message.content.config_records[protocol.CONFIG]
        assert (config[protocol.ROUND], config[protocol.CACHED_ROUND]) == (1, 0)
        assert config[protocol.SOURCES] == source_hash()
        assert config[protocol.SOURCE_FOLDER] == str(source_folder())
        assert set(message.content) == {protocol.PROMPTS, protocol.CONFIG}
    federation.aggregate_train(1, [answer(message) for message in messages])
    for message in asked(federation, 2):
        assert set(sent(message)) == set(federation.exchange.prompting.phase_tensors(FULL))
        assert message.content.config_records[protocol.CONFIG][protocol.CACHED_ROUND] == 1


def test_a_client_whose_reply_failed_is_sent_everything_again(
    make: Callable[..., PromptStrategy],
) -> None:
    federation = make()
    messages = asked(federation, 1)
    replies = [answer(message) for message in messages[:3]]
    federation.aggregate_train(1, [*replies, error_reply(messages[3], "out of memory")])
    later = asked(federation, 2)
    assert set(sent(later[3])) == set(federation.tensors)
    assert later[3].content.config_records[protocol.CONFIG][protocol.CACHED_ROUND] == 0
    assert set(sent(later[0])) < set(federation.tensors)


def test_in_the_lora_phase_only_lora_travels(make: Callable[..., PromptStrategy]) -> None:
    federation = make()
    lora = set(federation.exchange.prompting.phase_tensors(LORA))
    messages = asked(federation, 1)
    federation.aggregate_train(1, [answer(message, next_phase=LORA) for message in messages])
    federation.aggregate_train(
        2, [answer(message, 2.0, phase=LORA) for message in asked(federation, 2)]
    )
    for message in asked(federation, 3):
        assert set(sent(message)) == lora
    assert all((federation.tensors[name] == 2.0).all() for name in lora)
    assert (federation.tensors["query.weight"] == 1.0).all()


def test_a_client_that_sat_rounds_out_is_sent_all_that_changed_since(
    make: Callable[..., PromptStrategy],
) -> None:
    federation = make()
    messages = asked(federation, 1)
    federation.aggregate_train(1, [answer(message, next_phase=LORA) for message in messages])
    for round_number in (2, 3):
        messages = asked(federation, round_number)
        federation.aggregate_train(
            round_number, [answer(message, phase=LORA) for message in messages[:1]]
        )
        # The other three did not answer: what they hold is no longer counted on.
    later = asked(federation, 4)
    assert set(sent(later[0])) == set(federation.exchange.prompting.phase_tensors(LORA))
    assert set(sent(later[1])) == set(federation.tensors)


def test_what_is_sent_is_what_the_client_lacks(make: Callable[..., PromptStrategy]) -> None:
    """Clients that merge what they get always hold the server's tensors, whatever happens."""
    federation = make(fraction_train=0.5)
    draw = random.Random(0)
    held: dict[int, tuple[int, dict[str, Tensor]]] = {}
    for round_number in range(1, 30):
        replies = []
        for message in asked(federation, round_number):
            client, got = partition_of(message), sent(message)
            cached = message.content.config_records[protocol.CONFIG][protocol.CACHED_ROUND]
            kept_round, kept = held.get(client, (0, {}))
            assert cached in (0, kept_round)
            merged = {**(kept if cached else {}), **got}
            assert merged.keys() == federation.tensors.keys()
            for name, value in federation.tensors.items():
                assert torch.equal(merged[name], value), (round_number, client, name)
            held[client] = round_number, merged
            following = draw.choice((FULL, LORA))
            fine = answer(message, draw.random(), phase_of(message), next_phase=following)
            replies.append(fine if draw.random() < 0.7 else error_reply(message, "no"))
        if any(not reply.has_error() for reply in replies):
            federation.aggregate_train(round_number, replies)


# --- which replies count


def test_the_rest_is_averaged_in_partition_order_whatever_the_order_of_replies(
    make: Callable[..., PromptStrategy],
) -> None:
    averages = []
    for order in ((0, 1, 2, 3), (3, 1, 0, 2), (2, 3, 1, 0)):
        federation = make()
        messages = asked(federation, 1)
        values = (0.1, 1e15, -1e15, 0.3)  # a sum that depends on its order
        replies = [answer(messages[i], values[i]) for i in order]
        federation.aggregate_train(1, replies)
        averages.append(federation.tensors)
    for other in averages[1:]:
        assert all(torch.equal(value, other[name]) for name, value in averages[0].items())


@pytest.mark.parametrize(
    ("weighting", "mean"), [("uniform", 2.0), ("examples", (10 * 1 + 20 * 2 + 30 * 3) / 60)]
)
def test_weighting(make: Callable[..., PromptStrategy], weighting: str, mean: float) -> None:
    federation = make(clients=3, weighting=weighting)
    replies = [answer(message, partition_of(message) + 1.0) for message in asked(federation, 1)]
    federation.aggregate_train(1, replies)
    assert float(federation.tensors["query.bias"][0]) == pytest.approx(mean)


BAD_REPLIES: dict[str, tuple[Callable[[Message], Message], str]] = {
    "error": (lambda m: error_reply(m, "CUDA out of memory"), "failed: CUDA out of memory"),
    "NaN": (
        lambda m: answer(m, math.nan),
        "client 1: prompt tensor '.*' holds NaN or infinite",
    ),
    "infinity": (lambda m: answer(m, math.inf), "holds NaN or infinite"),
    "missing tensor": (
        lambda m: answer(m, tensors={k: v for k, v in full_tensors(1).items() if k != "key.bias"}),
        "client 1: the message lacks key.bias",
    ),
    "extra tensor": (
        lambda m: answer(m, tensors=full_tensors(1) | {"ctx": torch.ones(1)}),
        "client 1: the message holds unexpected ctx",
    ),
    "other phase's tensors": (
        lambda m: answer(m, phase=LORA, metrics={protocol.PHASE_NUMBER: 0}),
        "client 1: the message lacks .* and holds unexpected lora",
    ),
    "another phase": (
        lambda m: answer(m, phase=LORA),
        "client 1 trained in another phase than 'full'",
    ),
    "an earlier round": (lambda m: answer(m, round=0), "client 1 answers round 0; expected 1"),
    "a round to come": (lambda m: answer(m, round=7), "client 1 answers round 7; expected 1"),
    "more examples than it has": (
        lambda m: answer(m, metrics={protocol.NUM_EXAMPLES: 21}),
        "client 1 claims 21 training images; allowed: up to 20",
    ),
    "a long update": (
        lambda m: answer(m, -300.0),
        r"client 1: its update has norm .*, the median is .*; allowed: 5 times that",
    ),
    "wrong shape": (
        lambda m: answer(m, tensors=full_tensors(1) | {"key.bias": torch.ones(9)}),
        r"'key.bias' is \(9,\) torch.float32, expected \(8,\)",
    ),
    "wrong type": (
        lambda m: answer(m, tensors=full_tensors(1) | {"key.bias": torch.ones(8).half()}),
        r"'key.bias' is \(8,\) torch.float16",
    ),
    "damaged array": (lambda m: damaged(answer(m)), "client 1: a prompt tensor cannot be read"),
    "array of words": (lambda m: wordy(answer(m)), "client 1: a prompt tensor cannot be read"),
    "other schema": (lambda m: answer(m, schema="feed"), "schema feed, expected"),
    "zero examples": (
        lambda m: answer(m, metrics={protocol.NUM_EXAMPLES: 0}),
        "client 1 claims 0 training images",
    ),
    "negative examples": (
        lambda m: answer(m, metrics={protocol.NUM_EXAMPLES: -5}),
        "client 1 claims -5 training images",
    ),
    "examples that are no number": (
        lambda m: answer(m, metrics={protocol.NUM_EXAMPLES: [3]}),
        r"client 1: 'num-examples' is \[3\]; expected a whole number",
    ),
    "NaN loss": (
        lambda m: answer(m, metrics={protocol.TRAIN_LOSS: math.nan}),
        "client 1: 'train-loss' is nan; expected a finite number",
    ),
    "missing metric": (lambda m: answer(m, metrics={protocol.SECONDS: None}), "lacks .*seconds"),
    "another's partition id": (
        lambda m: answer(m, metrics={protocol.PARTITION_ID: 2}),
        "client 2: the reply comes from another supernode",
    ),
    "unknown partition id": (
        lambda m: answer(m, metrics={protocol.PARTITION_ID: 99}),
        "client 99 was not asked in this round",
    ),
    "no records": (lambda m: Message(RecordDict(), reply_to=m), "lacks records; it holds nothing"),
}


def damaged(reply: Message) -> Message:
    record = reply.content.array_records[protocol.PROMPTS]
    array = record["key.bias"]
    record["key.bias"] = Array(array.dtype, array.shape, array.stype, array.data[:40])
    return reply


def wordy(reply: Message) -> Message:
    reply.content.array_records[protocol.PROMPTS]["key.bias"] = Array(np.array(["a", "b"]))
    return reply


@pytest.mark.parametrize("name", BAD_REPLIES)
def test_a_bad_reply_is_refused_and_the_rest_averaged(
    make: Callable[..., PromptStrategy], name: str, caplog: pytest.LogCaptureFixture
) -> None:
    bad, message = BAD_REPLIES[name]
    federation = make(max_update_norm=5.0)
    messages = asked(federation, 1)
    replies = [answer(m, partition_of(m) + 1.0) for m in messages]
    replies[1] = bad(messages[1])
    with caplog.at_level(logging.WARNING, logger=logger.name):
        federation.aggregate_train(1, replies)
    (logged,) = caplog.messages
    assert re.search(message, logged), logged
    average = (1.0 + 3.0 + 4.0) / 3
    assert float(federation.tensors["query.bias"][0]) == pytest.approx(average)
    assert set(sent(asked(federation, 2)[1])) == set(federation.tensors), "it starts afresh"


def test_a_second_reply_of_a_client_does_not_count(
    make: Callable[..., PromptStrategy],
) -> None:
    federation = make()
    messages = asked(federation, 1)
    federation.aggregate_train(1, [answer(messages[0], 1.0), answer(messages[0], 9.0)])
    assert float(federation.tensors["query.bias"][0]) == 1.0


def test_too_few_usable_replies_stop_the_run_with_all_reasons(
    make: Callable[..., PromptStrategy],
) -> None:
    federation = make(min_clients=3)
    messages = asked(federation, 2)
    replies = [
        answer(messages[0]),
        answer(messages[1]),
        answer(messages[2], math.nan),
        error_reply(messages[3], "killed"),
    ]
    before = {name: value.clone() for name, value in federation.tensors.items()}
    with pytest.raises(FedMVPError) as caught:
        federation.aggregate_train(2, replies)
    sentence = str(caught.value)
    assert "round 2: 2 of 4 replies are usable, min-clients is 3" in sentence
    assert "client 2: prompt tensor" in sentence
    assert "a client failed: killed" in sentence
    assert all(torch.equal(value, before[n]) for n, value in federation.tensors.items())


def test_a_round_with_too_few_replies_is_repeated_with_a_cohort_drawn_anew(
    make: Callable[..., PromptStrategy],
) -> None:
    federation = make(
        clients=40, fraction_train=0.2, min_clients=3, on_too_few="repeat", round_retries=2
    )
    grid = AnsweringGrid([2.0, 4.0, 6.0], clients=40)
    first = list(federation.configure_train(1, ArrayRecord(), ConfigRecord(), grid))
    federation.aggregate_train(1, [answer(first[0], 100.0), answer(first[1], math.nan)])
    assert {partition_of(m) for m in grid.sent} != {partition_of(m) for m in first}
    assert [round_of(message) for message in grid.sent] == [1] * 8
    assert all(set(sent(message)) == set(federation.tensors) for message in grid.sent)
    # Nothing of the first attempt counts, but what was refused in it is told.
    assert float(federation.tensors["query.bias"][0]) == pytest.approx(4.0)
    rows = (federation.folder.path / "metrics.csv").read_text().splitlines()
    assert {"1,train,clients,3.0", "1,train,failed-clients,5.0"} <= set(rows)
    assert {"1,train,refused-replies,1.0", "1,train,refused-not-finite,1.0"} <= set(rows)
    events = (federation.folder.path / "progress.jsonl").read_text()
    assert '"event": "repeat"' in events
    assert "2 of 8" not in events
    assert "1 of 8 replies are usable, min-clients is 3" in events


def test_a_round_is_repeated_only_so_often(make: Callable[..., PromptStrategy]) -> None:
    federation = make(min_clients=3, on_too_few="repeat", round_retries=2)
    grid = AnsweringGrid([1.0, 1.0, None, None])
    first = list(federation.configure_train(1, ArrayRecord(), ConfigRecord(), grid))
    with pytest.raises(FedMVPError, match="2 of 4 replies are usable"):
        federation.aggregate_train(1, [answer(first[0])])
    events = (federation.folder.path / "progress.jsonl").read_text()
    assert events.count('"event": "repeat"') == 2


def test_a_strategy_that_needs_more_clients_is_refused_before_the_first_round(
    make: Callable[..., PromptStrategy],
) -> None:
    with pytest.raises(ConfigError, match=r"'bulyan', which needs 11 clients .* a round has 10"):
        make(clients=10, aggregation="bulyan")
    make(clients=11, aggregation="bulyan")


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_no_number_that_is_none_is_averaged_without_the_other_checks(
    make: Callable[..., PromptStrategy], value: float
) -> None:
    federation = make(max_update_norm=0.0)
    messages = asked(federation, 1)
    federation.aggregate_train(1, [answer(messages[0], 2.0), answer(messages[1], value)])
    assert float(federation.tensors["query.bias"][0]) == 2.0


def test_no_reply_at_all_says_so(make: Callable[..., PromptStrategy]) -> None:
    federation = make()
    asked(federation, 1)
    with pytest.raises(FedMVPError, match=r"0 of 4 replies are usable.*none came in time"):
        federation.aggregate_train(1, [])


def test_a_client_in_another_phase_is_averaged_over_those_in_it(
    make: Callable[..., PromptStrategy],
) -> None:
    federation = make()
    federation.phases[2] = LORA
    messages = asked(federation, 1)
    federation.aggregate_train(
        1, [answer(messages[0], 1.0), answer(messages[1], 3.0), answer(messages[2], 7.0, LORA)]
    )
    assert float(federation.tensors["query.bias"][0]) == 2.0
    assert float(federation.tensors["lora.key.up"][0, 0]) == 7.0


# --- cohorts


def cohorts(federation: PromptStrategy, rounds: Sequence[int]) -> list[list[int]]:
    return [[partition_of(message) for message in asked(federation, r)] for r in rounds]


def test_cohorts_are_drawn_by_seed_and_round(make: Callable[..., PromptStrategy]) -> None:
    first = cohorts(make(clients=10, fraction_train=0.3), range(1, 20))
    again = cohorts(make(clients=10, fraction_train=0.3), range(1, 20))
    other = cohorts(make(clients=10, fraction_train=0.3, seed=2), range(1, 20))
    assert first == again
    assert first != other
    assert all(len(set(cohort)) == 3 and cohort == sorted(cohort) for cohort in first)
    assert {client for cohort in first for client in cohort} == set(range(10))
    # A round's cohort does not depend on the rounds before it: a run can go on in the middle.
    assert cohorts(make(clients=10, fraction_train=0.3), [7]) == [first[6]]


@pytest.mark.parametrize(("fraction", "size"), [(0.01, 1), (0.25, 1), (0.5, 2), (1.0, 4)])
def test_cohort_size(make: Callable[..., PromptStrategy], fraction: float, size: int) -> None:
    assert len(asked(make(fraction_train=fraction), 1)) == size


# --- evaluation by the clients


def test_nobody_evaluates_by_default(make: Callable[..., PromptStrategy]) -> None:
    assert asked(make(), 1, "evaluate") == []


def evaluated(message: Message, value: Any, images: Any, metric: str = "accuracy") -> Message:
    metrics = MetricRecord({metric: value, protocol.NUM_EXAMPLES: images})
    return Message(RecordDict({protocol.METRICS: metrics}), reply_to=message)


def test_validation_accuracy_is_pooled_over_usable_replies(
    make: Callable[..., PromptStrategy], tmp_path: Path
) -> None:
    federation = make(clients=6, fraction_evaluate=1.0)
    messages = asked(federation, 1, "evaluate")
    assert {message.metadata.message_type for message in messages} == {MessageType.EVALUATE}
    replies = [
        evaluated(messages[0], 0.75, 4),
        evaluated(messages[1], 0.0, 0),
        evaluated(messages[2], 1 / 3, 6),
        error_reply(messages[3], "no"),
        evaluated(messages[4], 9.0, 4),
        Message(RecordDict(), reply_to=messages[5]),
    ]
    record = federation.aggregate_evaluate(1, replies)
    assert record is not None
    assert record["validation-accuracy"] == 0.5
    federation.folder.write_metrics()
    rows = (federation.folder.path / "metrics.csv").read_text().splitlines()
    assert "1,clients,validation-accuracy,0.5" in rows
    several = [evaluated(message, 0.25, 2, "map") for message in messages[:2]]
    assert federation.aggregate_evaluate(2, several) == {"validation-map": 0.25}


def test_no_validation_images_no_metric(make: Callable[..., PromptStrategy]) -> None:
    federation = make(fraction_evaluate=1.0)
    replies = [evaluated(m, 0, 0) for m in asked(federation, 1, "evaluate")]
    assert federation.aggregate_evaluate(1, replies) is None


def test_evaluating_clients_are_sent_the_new_tensors(
    make: Callable[..., PromptStrategy],
) -> None:
    federation = make(fraction_evaluate=1.0)
    federation.aggregate_train(1, [answer(message, 5.0) for message in asked(federation, 1)])
    for message in asked(federation, 1, "evaluate"):
        assert set(sent(message)) == set(federation.exchange.prompting.phase_tensors(FULL))
        assert (sent(message)["query.bias"] == 5.0).all()


# --- what is recorded


def test_bytes_and_failures_are_recorded(make: Callable[..., PromptStrategy]) -> None:
    federation = make(clients=2)
    messages = asked(federation, 1)
    federation.aggregate_train(1, [answer(messages[0]), error_reply(messages[1], "no")])
    rows = (federation.folder.path / "metrics.csv").read_text().splitlines()
    full = 4 * sum(value.numel() for value in full_tensors(1).values())
    whole = 4 * sum(value.numel() for value in federation.tensors.values())
    assert f"1,client-000,bytes-up,{float(full)}" in rows
    assert f"1,client-000,bytes-down,{float(whole)}" in rows
    assert f"1,train,bytes-up,{float(full)}" in rows
    assert f"1,train,bytes-down,{float(2 * whole)}" in rows
    assert "1,train,clients,1.0" in rows
    assert "1,train,failed-clients,1.0" in rows
    assert not any(row.startswith("1,client-001") for row in rows)
