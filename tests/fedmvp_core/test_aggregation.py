"""Weighted means of prompt tensors."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from fedmvp_core.aggregation import weighted_mean


def test_hand_values() -> None:
    updates = [
        ({"a": torch.tensor([1.0, 2.0])}, 1.0),
        ({"a": torch.tensor([3.0, 6.0])}, 1.0),
        ({"a": torch.tensor([8.0, 0.0])}, 2.0),
    ]
    mean = weighted_mean(updates)["a"]
    assert mean.tolist() == [5.0, 2.0]
    assert mean.dtype == torch.float32


def test_a_tensor_is_averaged_over_those_that_hold_it() -> None:
    updates = [
        ({"full": torch.tensor([2.0])}, 1.0),
        ({"lora": torch.tensor([10.0])}, 3.0),
        ({"full": torch.tensor([4.0])}, 3.0),
    ]
    mean = weighted_mean(updates)
    assert mean["full"].item() == 3.5
    assert mean["lora"].item() == 10.0


@given(
    st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=9),
    st.floats(min_value=1e-3, max_value=1e6),
)
def test_one_update_comes_out_bit_for_bit(values: list[float], weight: float) -> None:
    tensor = torch.tensor(values, dtype=torch.float32)
    assert torch.equal(weighted_mean([({"a": tensor}, weight)])["a"], tensor)


def test_many_equal_updates_come_out_bit_for_bit() -> None:
    tensor = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    mean = weighted_mean(({"a": tensor}, 1.0) for _ in range(7))
    assert torch.equal(mean["a"], tensor)


def test_the_inputs_are_left_alone() -> None:
    first, second = torch.ones(2), torch.zeros(2)
    weighted_mean([({"a": first}, 1.0), ({"a": second}, 1.0)])
    assert first.tolist() == [1.0, 1.0]
    assert second.tolist() == [0.0, 0.0]


def test_names_keep_the_order_of_the_updates() -> None:
    updates = [({"b": torch.ones(1), "a": torch.ones(1)}, 1.0)] * 2
    assert list(weighted_mean(updates)) == ["b", "a"]


def test_nothing_in_nothing_out() -> None:
    assert weighted_mean([]) == {}
