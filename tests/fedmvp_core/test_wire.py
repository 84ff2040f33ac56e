"""Updates in fewer bits: how far they are off, and that nothing is lost over the rounds."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from fedmvp_core.config.keys import FLOAT32, WIRE_DTYPES
from fedmvp_core.wire import WireUpdate, from_wire, to_wire, wire_bytes, wire_layout

ROUNDED = WIRE_DTYPES[1:]
# Of a number for the floats, of the largest of its tensor for int8: half a step.
BOUND = {"float16": 2.0**-11, "bfloat16": 2.0**-8, "int8": 0.5 / 127}


def tensors(seed: int, size: float = 1.0) -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    shapes: dict[str, tuple[int, ...]] = {"z": (5, 7), "a": (), "empty": (0, 2)}
    return {n: size * torch.randn(shape, generator=draw) for n, shape in shapes.items()}


def received_by_the_server(update: WireUpdate, sent: dict[str, Tensor], dtype: str) -> dict:
    """As it comes out of a message, whose tensors may be in another order."""
    return from_wire(dict(sorted(update.tensors.items())), update.scales, sent, dtype)


@pytest.mark.parametrize("dtype", ROUNDED)
@pytest.mark.parametrize("size", [1e-4, 1.0, 100.0])
def test_a_round_trip_is_off_by_half_a_step_at_most(dtype: str, size: float) -> None:
    sent = {name: torch.zeros_like(value) for name, value in tensors(0).items()}
    trained = tensors(1, size)
    update = to_wire(trained, sent, {}, dtype)
    found = received_by_the_server(update, sent, dtype)
    for name, value in trained.items():
        assert found[name].dtype == torch.float32
        scale = value.abs().max() if dtype == "int8" and value.numel() else value.abs()
        # Below float16's smallest normal number its steps are equally wide.
        bound = BOUND[dtype] * scale * 1.0001 + (2.0**-25 if dtype == "float16" else 0.0)
        assert ((found[name] - value).abs() <= bound).all()
        # The errors are float32 numbers themselves.
        torch.testing.assert_close(update.errors[name], value - found[name], rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("dtype", ROUNDED)
@given(seed=st.integers(0, 1000), rounds=st.integers(1, 12))
def test_what_was_sent_adds_up_to_what_was_meant(dtype: str, seed: int, rounds: int) -> None:
    """Sent, over all rounds, and the last error are the true updates."""
    zeros = {name: torch.zeros_like(value) for name, value in tensors(0).items()}
    carried: dict[str, Tensor] = {}
    meant = {name: value.double() for name, value in zeros.items()}
    arrived = {name: value.double() for name, value in zeros.items()}
    largest = 0.0
    for number in range(rounds):
        wanted = tensors(seed + number, 0.1)
        update = to_wire(wanted, zeros, carried, dtype)
        found = received_by_the_server(update, zeros, dtype)
        carried = update.errors
        for name in zeros:
            meant[name] += wanted[name].double()
            arrived[name] += found[name].double()
            largest = max([largest, *wanted[name].abs().flatten().tolist()])
    for name in zeros:
        left = meant[name] - arrived[name]
        torch.testing.assert_close(left, carried[name].double(), rtol=0.0, atol=1e-6)
        assert (left.abs() <= 2.1 * BOUND[dtype] * largest).all()


def test_nothing_changed_is_sent_as_nothing() -> None:
    sent = tensors(3)
    for dtype in ROUNDED:
        update = to_wire(sent, sent, {}, dtype)
        found = received_by_the_server(update, sent, dtype)
        assert all(torch.equal(found[name], sent[name]) for name in sent)


def test_float16_ends_at_its_largest_number_and_the_rest_follows() -> None:
    zeros = {"a": torch.zeros(1)}
    update = to_wire({"a": torch.tensor([70_000.0])}, zeros, {}, "float16")
    assert update.tensors["a"].item() == 65504.0
    assert update.errors["a"].item() == 70_000 - 65504


def test_bytes_are_those_of_the_type() -> None:
    value = {"a": torch.zeros(100), "b": torch.zeros(3, 7)}
    bytes_of = {dtype: wire_bytes(value, dtype) for dtype in WIRE_DTYPES}
    assert bytes_of == {FLOAT32: 484, "float16": 242, "bfloat16": 242, "int8": 121 + 16}
    for dtype in ROUNDED:
        update = to_wire(value, value, {}, dtype)
        for name, layout in wire_layout(value, dtype).items():
            assert update.tensors[name].dtype == layout.dtype
            assert update.tensors[name].shape == layout.shape
