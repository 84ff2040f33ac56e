"""wire-dtype: a federation whose clients send their updates in fewer bits."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from federation_harness import (
    FIRST_NODE,
    SerialGrid,
    final_tensors,
    metric_rows,
    run_federation,
    run_folder,
)
from flwr.app import Array, Message, MessageType

from fedmvp_core import protocol
from fedmvp_core.config import RunConfig, parse_config
from fedmvp_core.errors import ConfigError, FedMVPError
from simulations.runner.inline import play
from simulations.runner.project import default_config as defaults

Make = Callable[..., RunConfig]
CLIENTS = 3


def of_metric(config: RunConfig, metric: str) -> list[float]:
    return [
        value for _, split, name, value in metric_rows(config) if (split, name) == ("train", metric)
    ]


@pytest.mark.parametrize(("dtype", "share"), [("float16", 2.0), ("bfloat16", 2.0), ("int8", 4.0)])
def test_fewer_bytes_go_up_and_the_result_is_near(
    small_run: Make, dtype: str, share: float
) -> None:
    plain, rounded = small_run(run_name="plain"), small_run(run_name=dtype, wire_dtype=dtype)
    run_federation(plain, CLIENTS)
    grid = run_federation(rounded, CLIENTS)
    for before, after in zip(
        of_metric(plain, "bytes-up"), of_metric(rounded, "bytes-up"), strict=True
    ):
        assert before / share <= after <= before / share + 8 * 30 * CLIENTS
    assert of_metric(plain, "bytes-down") == of_metric(rounded, "bytes-down")
    moved = 0.0
    ends, others = final_tensors(plain), final_tensors(rounded)
    starts = next(
        message.content.array_records[protocol.PROMPTS].to_torch_state_dict()
        for message in grid.sent
        if message.metadata.message_type == MessageType.TRAIN
    )
    for name, value in ends.items():
        moved += float((value - starts[name]).square().sum())
    off = sum(float((others[name] - value).square().sum()) for name, value in ends.items())
    assert 0 < off**0.5 < 0.05 * moved**0.5


def test_errors_stay_with_the_client_and_are_used(small_run: Make) -> None:
    grid = run_federation(small_run(wire_dtype="int8"), CLIENTS)
    for context in grid.contexts.values():
        kept = context.state.array_records["kept-tensors"].to_torch_state_dict()
        errors = {name: value for name, value in kept.items() if name.startswith("/wire-error/")}
        assert errors
        assert any(value.abs().max() > 0 for value in errors.values())
    travelled = {
        name
        for message in [*grid.sent, *grid.replies]
        if message.has_content()
        for record in message.content.array_records.values()
        for name in record
    }
    assert travelled
    assert not [name for name in travelled if "wire-error" in name]


@pytest.mark.parametrize("dtype", ["bfloat16", "int8"])
def test_a_run_that_is_resumed_ends_in_the_same_bits(small_run: Make, dtype: str) -> None:
    whole = small_run(run_name="whole", wire_dtype=dtype, rounds=3)
    run_federation(whole, CLIENTS)

    def die(message: Message, partition_id: int) -> None:
        facts = message.content.config_records.get(protocol.CONFIG, {})
        if message.metadata.message_type == MessageType.TRAIN and facts[protocol.ROUND] == 3:
            raise KeyboardInterrupt

    broken = small_run(run_name="broken", wire_dtype=dtype, rounds=3)
    with pytest.raises(KeyboardInterrupt):
        run_federation(broken, CLIENTS, intercept=die)
    run_federation(
        small_run(run_name="broken", wire_dtype=dtype, rounds=3, resume="latest"), CLIENTS
    )
    ends, resumed = final_tensors(whole), final_tensors(broken)
    assert all(torch.equal(ends[name], resumed[name]) for name in ends)


@pytest.mark.parametrize("other", [{"privacy": "local"}, {"privacy": "central"}])
def test_privacy_goes_with_it(small_run: Make, other: dict[str, Any]) -> None:
    pytest.importorskip("dp_accounting")
    config = small_run(wire_dtype="int8", dp_noise="seeded", **other)
    run_federation(config, CLIENTS)
    assert of_metric(config, "refused-replies") == [0.0, 0.0]


@pytest.mark.parametrize("aggregation", ["fedmedian", "fedadam", "scaffold"])
def test_aggregations_go_with_it(small_run: Make, aggregation: str) -> None:
    config = small_run(wire_dtype="float16", aggregation=aggregation)
    run_federation(config, CLIENTS)
    assert of_metric(config, "refused-replies") == [0.0, 0.0]


def spoilt(grid_reply: Message, how: str) -> Message:
    prompts = grid_reply.content.array_records[protocol.PROMPTS]
    facts = grid_reply.content.config_records[protocol.CONFIG]
    name = next(iter(prompts))
    if how == "type":
        prompts[name] = Array(prompts[name].numpy().astype("float32"))
    elif how == "no scales":
        del facts[protocol.SCALES]
    elif how == "few scales":
        facts[protocol.SCALES] = list(facts[protocol.SCALES])[1:]
    else:
        facts[protocol.SCALES] = [float(how)] * len(prompts)
    return grid_reply


@pytest.mark.parametrize(
    ("how", "kind"),
    [
        ("type", "tensors"),
        ("no scales", "tensors"),
        ("few scales", "tensors"),
        ("nan", "tensors"),
        ("1e300", "not-finite"),
        ("1e30", "norm"),
    ],
)
def test_a_spoilt_reply_is_refused(small_run: Make, how: str, kind: str) -> None:
    class SpoilingGrid(SerialGrid):
        def answer(self, message: Message) -> Message:
            reply = super().answer(message)
            first = message.metadata.dst_node_id == FIRST_NODE
            trains = message.metadata.message_type == MessageType.TRAIN
            return spoilt(reply, how) if first and trains else reply

    config = small_run(wire_dtype="int8", rounds=1)
    play(config, SpoilingGrid(config, CLIENTS))
    assert of_metric(config, f"refused-{kind}") == [1.0]
    assert run_folder(config).exists()


@pytest.mark.parametrize("attack", ["sign-flip", "nan", "lie", "backdoor-patch"])
def test_lies_about_tensors_do_not_go_with_it(attack: str) -> None:
    with pytest.raises(ConfigError, match=f"wire-dtype is 'int8' but stress-attack is '{attack}'"):
        parse_config({**defaults(), "wire-dtype": "int8", "stress-attack": attack})
    for allowed in ("none", "label-flip", "backdoor"):
        parse_config({**defaults(), "wire-dtype": "int8", "stress-attack": allowed})


def test_other_types_are_refused() -> None:
    with pytest.raises(FedMVPError, match="wire-dtype is 'float8'"):
        parse_config({**defaults(), "wire-dtype": "float8"})
