"""What is refused of a message, with a sentence that names the tensors."""

import math

import pytest
import torch
from torch import Tensor

from fedmvp_core import protocol
from fedmvp_core.errors import WireError


def schema() -> dict[str, Tensor]:
    return {"query": torch.zeros(2, 3), "key": torch.zeros(4), "lora.up": torch.zeros(1)}


def test_what_fits_is_accepted() -> None:
    protocol.check_prompt_tensors(schema(), schema(), schema(), "client 1")
    protocol.check_prompt_tensors({"lora.up": torch.ones(1)}, schema(), ["lora.up"], "client 1")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"query": None}, "client 1: the message lacks query; expected 3 tensors"),
        ({"extra": torch.zeros(1)}, "holds unexpected extra; expected 3"),
        ({"query": None, "extra": torch.zeros(1)}, "lacks query and holds unexpected extra"),
        ({"query": torch.zeros(3, 2)}, r"'query' is \(3, 2\) torch.float32, expected \(2, 3\)"),
        ({"key": torch.zeros(4).double()}, r"'key' is \(4,\) torch.float64, expected \(4,\) torch"),
        ({"key": torch.tensor([0, math.nan, 0, 0])}, "'key' holds NaN or infinite numbers"),
        ({"key": torch.tensor([0, math.inf, 0, 0])}, "'key' holds NaN or infinite numbers"),
        ({"key": torch.tensor([0, 0, -math.inf, 1])}, "'key' holds NaN or infinite numbers"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, Tensor | None], message: str) -> None:
    received = {name: value for name, value in (schema() | change).items() if value is not None}
    with pytest.raises(WireError, match=message):
        protocol.check_prompt_tensors(received, schema(), schema(), "client 1")


def test_numbers_at_the_ends_of_their_type_are_finite() -> None:
    ends = torch.finfo(torch.float32)
    tensors = {
        "wide": torch.tensor([ends.min, ends.max]),
        "nothing": torch.zeros(0, 3),
        "whole": torch.tensor([2**62]),
    }
    protocol.check_finite(tensors, "client 1")


def test_hash_tells_names_shapes_types_and_order_apart() -> None:
    changed = [
        {"query2": torch.zeros(2, 3), "key": torch.zeros(4), "lora.up": torch.zeros(1)},
        schema() | {"query": torch.zeros(3, 2)},
        schema() | {"key": torch.zeros(4).half()},
        dict(reversed(schema().items())),
        {},
    ]
    hashes = {protocol.schema_hash(tensors) for tensors in (schema(), *changed)}
    assert len(hashes) == 6
    assert protocol.schema_hash(schema()) == protocol.schema_hash(
        {n: t + 1 for n, t in schema().items()}
    )


def test_schemas_that_differ_are_refused() -> None:
    protocol.check_schema("ab", "ab", "client 2")
    with pytest.raises(WireError, match="client 2 has prompt tensors of schema cd, expected ab"):
        protocol.check_schema("ab", "cd", "client 2")


def test_num_bytes() -> None:
    assert protocol.num_bytes({"a": torch.zeros(3), "b": torch.zeros(2).half()}) == 16


@pytest.mark.parametrize("value", [None, 1.5, "3", [3], b"3"])
def test_what_is_no_whole_number_is_refused(value: object) -> None:
    with pytest.raises(WireError, match=r"client 4: 'num-examples' is .*; expected a whole number"):
        protocol.integer({"num-examples": value}, "num-examples", "client 4")
    assert protocol.integer({"num-examples": 7}, "num-examples", "client 4") == 7


@pytest.mark.parametrize("value", [None, math.nan, math.inf, "3", [3.0]])
def test_what_is_no_finite_number_is_refused(value: object) -> None:
    with pytest.raises(WireError, match=r"client 4: 'loss' is .*; expected a finite number"):
        protocol.number({"loss": value}, "loss", "client 4")
    with pytest.raises(WireError, match="'loss' is None"):
        protocol.number({}, "loss", "client 4")
    assert protocol.number({"loss": 2}, "loss", "client 4") == 2.0
