"""The client's handlers, called with messages as the server makes them."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from federation_harness import client_context
from flwr.app import (
    ArrayRecord,
    ConfigRecord,
    Context,
    Message,
    MessageType,
    MetricRecord,
    RecordDict,
)
from torch import Tensor

from client_app.app import app
from client_app.state import merge_received
from client_app.worker import configured_backbone
from fedmvp_core import protocol
from fedmvp_core.code_version import source_folder, source_hash
from fedmvp_core.config import RunConfig
from fedmvp_core.errors import FedMVPError, WireError
from fedmvp_core.methods import find_method
from fedmvp_core.prompting import FULL, Prompting
from fedmvp_core.prompting.promptformer import LORA, PromptFormer

CLIENTS = 3


def prompting_of(config: RunConfig) -> Prompting:
    return find_method(config).build_prompting(configured_backbone(config), ())


def request(
    kind: str,
    tensors: dict[str, Tensor] | None = None,
    round_number: int = 1,
    cached_round: int = 0,
    schema: str = "",
    **changes: Any,
) -> Message:
    facts: dict[str, Any] = {
        protocol.ROUND: round_number,
        protocol.RUN_ID: "0123abcd",
        protocol.SCHEMA: schema,
        protocol.CACHED_ROUND: cached_round,
        protocol.PHASE: FULL,
        protocol.CLASS_NAMES: json.dumps(["ant", "bee", "cow"]),
        protocol.SOURCES: source_hash(),
        protocol.SOURCE_FOLDER: str(source_folder()),
    }
    records: dict[str, Any] = {protocol.CONFIG: ConfigRecord(facts | changes)}
    if tensors is not None:
        records[protocol.PROMPTS] = ArrayRecord(tensors)
    return Message(RecordDict(records), dst_node_id=5, message_type=kind)


def train_request(config: RunConfig, **options: Any) -> Message:
    tensors = prompting_of(config).prompt_tensors()
    options.setdefault("schema", protocol.schema_hash(tensors))
    return request(MessageType.TRAIN, options.pop("tensors", tensors), **options)


def tensors_of(reply: Message) -> dict[str, Tensor]:
    return reply.content.array_records[protocol.PROMPTS].to_torch_state_dict()


def metrics_of(reply: Message) -> MetricRecord:
    return reply.content.metric_records[protocol.METRICS]


# --- train


def test_a_reply_holds_the_tensors_of_the_phase_and_nothing_else(
    small_run: Callable[..., RunConfig],
) -> None:
    config = small_run()
    module = prompting_of(config)
    context = client_context(config, 1, CLIENTS)
    reply = app(train_request(config), context)
    assert set(reply.content) == {protocol.PROMPTS, protocol.METRICS, protocol.CONFIG}
    assert tuple(tensors_of(reply)) == module.phase_tensors(FULL)
    schema = module.prompt_tensors()
    protocol.check_prompt_tensors(tensors_of(reply), schema, module.phase_tensors(FULL), "client")
    moved = [n for n, value in tensors_of(reply).items() if not torch.equal(value, schema[n])]
    assert set(moved) == set(module.phase_tensors(FULL))
    facts = reply.content.config_records[protocol.CONFIG]
    told = {protocol.SCHEMA: protocol.schema_hash(schema), protocol.PHASE: LORA, protocol.ROUND: 1}
    assert dict(facts) == told


def test_metrics_of_a_reply(small_run: Callable[..., RunConfig]) -> None:
    config = small_run()
    metrics = metrics_of(app(train_request(config), client_context(config, 1, CLIENTS)))
    assert metrics[protocol.PARTITION_ID] == 1
    assert metrics[protocol.NUM_EXAMPLES] == 4
    assert metrics[protocol.PHASE_NUMBER] == 0
    assert metrics[protocol.IMAGES_ENCODED] == 8, "4 images, and their mirror images"
    assert metrics[protocol.SENTENCES_ENCODED] == 2
    assert 0 < float(metrics[protocol.TRAIN_LOSS]) < 100  # type: ignore[arg-type]
    assert float(metrics[protocol.SECONDS]) > 0  # type: ignore[arg-type]


def test_bytes_on_the_wire_at_the_widths_of_the_paper() -> None:
    with torch.device("meta"):
        module = PromptFormer(image_width=768, text_width=512)
    shapes = dict(module.named_parameters())
    for phase, expected in ((FULL, 4 * 9_845_760), (LORA, 4 * 36_864)):
        sent = {name: shapes[name] for name in module.phase_tensors(phase)}
        assert protocol.num_bytes(sent) == expected


def test_bytes_on_the_wire_are_those_of_the_tensors_and_a_small_envelope(
    small_run: Callable[..., RunConfig],
) -> None:
    config = small_run()
    reply = app(train_request(config), client_context(config, 0, CLIENTS))
    record = reply.content.array_records[protocol.PROMPTS]
    numbers = protocol.num_bytes(tensors_of(reply))
    assert numbers <= record.count_bytes() <= numbers + 256 * len(record)


def test_the_lora_switch(small_run: Callable[..., RunConfig]) -> None:
    """Round 1 in the full phase; its loss is below the threshold, so it asks for LoRA from then."""
    config = small_run(rounds=3, **{"method.lora-threshold": 1e9})
    module = prompting_of(config)
    context = client_context(config, 0, CLIENTS)
    first = app(train_request(config), context)
    full = tensors_of(first)
    assert first.content.config_records[protocol.CONFIG][protocol.PHASE] == LORA
    module.load_prompt_tensors(full)
    tensors = module.prompt_tensors()
    changed = {name: tensors[name] for name in full}
    second = app(
        train_request(config, tensors=changed, round_number=2, cached_round=1, phase=LORA), context
    )
    assert tuple(tensors_of(second)) == module.phase_tensors(LORA)
    assert metrics_of(second)[protocol.PHASE_NUMBER] == 1
    assert second.content.config_records[protocol.CONFIG][protocol.PHASE] == LORA, (
        "it stays in the phase"
    )


def test_a_phase_that_is_none_is_refused(small_run: Callable[..., RunConfig]) -> None:
    config = small_run()
    with pytest.raises(WireError, match="the server: 'phase' is 'half'; expected full or lora"):
        app(train_request(config, phase="half"), client_context(config, 0, CLIENTS))


def test_merged_tensors_train_as_if_all_had_been_sent(
    small_run: Callable[..., RunConfig],
) -> None:
    config = small_run(**{"method.lora-threshold": 0})
    module = prompting_of(config)
    context, other = (client_context(config, 0, CLIENTS) for _ in range(2))
    first = tensors_of(app(train_request(config), context))
    app(train_request(config), other)
    module.load_prompt_tensors(first)
    some = app(train_request(config, tensors=first, round_number=2, cached_round=1), context)
    every = app(train_request(config, tensors=module.prompt_tensors(), round_number=2), other)
    assert all(torch.equal(value, tensors_of(every)[n]) for n, value in tensors_of(some).items())


def test_what_was_received_is_kept_not_what_was_trained(
    small_run: Callable[..., RunConfig],
) -> None:
    """The server counts on the former for whatever its average leaves as it was."""
    config = small_run()
    context = client_context(config, 0, CLIENTS)
    app(train_request(config), context)
    received = prompting_of(config).prompt_tensors()
    kept = merge_received(context.state, ArrayRecord({}), 1).to_torch_state_dict()
    assert list(kept) == list(received)
    assert all(torch.equal(value, received[name]) for name, value in kept.items())


@pytest.mark.parametrize("rounds_trained", [0, 1])
def test_tensors_that_the_client_does_not_hold_are_not_counted_on(
    small_run: Callable[..., RunConfig], rounds_trained: int
) -> None:
    config = small_run()
    context = client_context(config, 0, CLIENTS)
    for _ in range(rounds_trained):
        app(train_request(config), context)
    lora = {n: t for n, t in prompting_of(config).prompt_tensors().items() if "lora" in n}
    message = f"of round 4, this client holds those of round {rounds_trained}"
    with pytest.raises(WireError, match=message):
        app(train_request(config, tensors=lora, round_number=5, cached_round=4), context)


def test_a_failing_round_leaves_the_state_alone(small_run: Callable[..., RunConfig]) -> None:
    config = small_run()
    context = client_context(config, 0, CLIENTS)
    app(train_request(config), context)
    before = {name: dict(context.state.config_records[name]) for name in ("facts",)}
    broken = {
        n: torch.full_like(t, float("nan"))
        for n, t in prompting_of(config).prompt_tensors().items()
    }
    with pytest.raises(FedMVPError):
        app(train_request(config, tensors=broken, round_number=2), context)
    assert before == {name: dict(context.state.config_records[name]) for name in ("facts",)}


# --- refusals


@pytest.mark.parametrize("kind", [MessageType.TRAIN, MessageType.EVALUATE])
def test_other_code_than_the_servers_is_refused_with_both_folders(
    small_run: Callable[..., RunConfig], kind: str
) -> None:
    config = small_run()
    tensors = prompting_of(config).prompt_tensors()
    stale = {protocol.SOURCES: "0" * 16, protocol.SOURCE_FOLDER: "/old/project"}
    message = request(kind, tensors, schema=protocol.schema_hash(tensors), **stale)
    with pytest.raises(WireError) as caught:
        app(message, client_context(config, 0, CLIENTS))
    assert "'/old/project'" in str(caught.value)
    assert f"'{source_folder()}'" in str(caught.value)


def test_another_schema_is_refused(small_run: Callable[..., RunConfig]) -> None:
    config = small_run()
    with pytest.raises(WireError, match="the server has prompt tensors of schema"):
        app(train_request(config, schema="feed"), client_context(config, 0, CLIENTS))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda t: t | {"query.bias": torch.ones(3)}, r"'query.bias' is \(3,\)"),
        (lambda t: t | {"ctx": torch.ones(3)}, "unexpected ctx"),
        (lambda t: {n: v for n, v in t.items() if n != "query.bias"}, "lacks query.bias"),
        (lambda t: t | {"query.bias": t["query.bias"] / 0}, "'query.bias' holds NaN"),
    ],
)
def test_damaged_tensors_are_refused(
    small_run: Callable[..., RunConfig],
    damage: Callable[[dict[str, Tensor]], dict[str, Tensor]],
    message: str,
) -> None:
    config = small_run()
    tensors = prompting_of(config).prompt_tensors()
    with pytest.raises(WireError, match=f"the server: .*{message}"):
        app(train_request(config, tensors=damage(tensors)), client_context(config, 0, CLIENTS))


# --- evaluate and query


def test_evaluation_is_the_accuracy_on_validation_images(
    small_run: Callable[..., RunConfig],
) -> None:
    config = small_run(partition="iid")
    tensors = prompting_of(config).prompt_tensors()
    context = client_context(config, 0, CLIENTS)
    message = request(MessageType.EVALUATE, tensors, schema=protocol.schema_hash(tensors))
    metrics = metrics_of(app(message, context))
    assert metrics[protocol.PARTITION_ID] == 0
    # 6 pictures of a class and domain: 4 for training, 1 for validation, 1 for testing
    assert metrics[protocol.NUM_EXAMPLES] == 6
    assert round(6 * metrics["accuracy"], 6) in range(7)  # type: ignore[operator]
    assert not list(context.state), "evaluation keeps nothing"


def description_of(config: RunConfig, context: Context, **changes: Any) -> ConfigRecord:
    reply = app(request(MessageType.QUERY, **changes), context)
    assert set(reply.content) == {protocol.DESCRIPTION}
    return reply.content.config_records[protocol.DESCRIPTION]


def test_a_query_says_what_the_client_holds(small_run: Callable[..., RunConfig]) -> None:
    config = small_run(shots=2)
    description = description_of(config, client_context(config, 2, CLIENTS))
    assert description[protocol.PARTITION_ID] == 2
    assert description[protocol.NUM_PARTITIONS] == CLIENTS
    assert description[protocol.NUM_EXAMPLES] == 2
    assert json.loads(str(description[protocol.CLASSES])) == {"cow": 2}
    assert sum(json.loads(str(description[protocol.DOMAINS])).values()) == 2


@pytest.mark.parametrize(
    ("overrides", "changes", "message"),
    [
        ({"data_dir": "/nowhere"}, {}, "data-dir '/nowhere' is not a folder"),
        ({}, {protocol.SOURCES: "0" * 16}, "the client runs the code in"),
    ],
)
def test_a_query_reports_what_is_wrong(
    small_run: Callable[..., RunConfig],
    overrides: dict[str, Any],
    changes: dict[str, Any],
    message: str,
) -> None:
    config = small_run(**overrides)
    description = description_of(config, client_context(config, 1, CLIENTS), **changes)
    assert message in str(description[protocol.ERROR])
    assert description[protocol.PARTITION_ID] == 1
    assert protocol.NUM_EXAMPLES not in description


def test_a_query_reports_a_wrong_key(small_run: Callable[..., RunConfig]) -> None:
    config = small_run()
    context = client_context(config, 1, CLIENTS)
    context.run_config["rouns"] = 3
    description = description_of(config, context)
    assert "unknown run-config key 'rouns'; did you mean rounds" in str(description[protocol.ERROR])
