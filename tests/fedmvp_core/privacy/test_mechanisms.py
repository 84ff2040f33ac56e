"""Clipping and noise: one client cannot move what is released by more than the sensitivity."""

import math
from collections.abc import Mapping

import numpy as np
import pytest
import torch
from flwr.supercore.differential_privacy import compute_clip_model_update
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from fedmvp_core.privacy import clipped_update, private_mean, private_update, seeded_draw

CURRENT = {
    "scale": torch.tensor(0.5),
    "matrix": torch.arange(6, dtype=torch.float32).reshape(2, 3),
    "half": torch.ones(4, dtype=torch.float16),
}
NAMES = tuple(CURRENT)


def trained(seed: int, size: float = 1.0, names: tuple[str, ...] = NAMES) -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    return {
        n: (CURRENT[n] + size * torch.randn(CURRENT[n].shape, generator=draw)).to(CURRENT[n].dtype)
        for n in names
    }


def length(tensors: Mapping[str, Tensor]) -> float:
    return math.sqrt(sum(float((value.double() ** 2).sum()) for value in tensors.values()))


def difference(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: a[name].double() - b[name].double() for name in a}


def no_noise(shape: torch.Size) -> Tensor:
    return torch.zeros(shape, dtype=torch.float64)


def mean(updates: list[dict[str, Tensor]], **changes: object) -> dict[str, Tensor]:
    options = {"names": NAMES, "cohort": 4, "clipping_norm": 0.5, "noise_multiplier": 1.0}
    return private_mean(updates, CURRENT, **(options | {"draw": no_noise} | changes))  # type: ignore[arg-type]


# --- clipping


@given(st.floats(1e-3, 1e30), st.floats(1e-3, 1e3), st.integers(0, 9))
@settings(max_examples=50)
def test_a_clipped_update_is_as_long_as_allowed_and_points_the_same_way(
    size: float, clipping_norm: float, seed: int
) -> None:
    names = ("scale", "matrix")
    update = difference(trained(seed, size, names), CURRENT)
    clipped = clipped_update(trained(seed, size, names), CURRENT, clipping_norm)
    assert length(clipped) == pytest.approx(min(length(update), clipping_norm), rel=1e-9)
    scale = length(clipped) / length(update)
    for name, value in clipped.items():
        assert torch.allclose(value, update[name] * scale, rtol=1e-9)


def test_what_flower_clips_to() -> None:
    names = ("matrix",)
    arrays = [trained(1, 3.0, names)[name].numpy() for name in names]
    compute_clip_model_update(arrays, [CURRENT[name].numpy() for name in names], 0.5)
    clipped = clipped_update(trained(1, 3.0, names), CURRENT, 0.5)
    np.testing.assert_allclose((CURRENT["matrix"] + clipped["matrix"]).numpy(), arrays[0], 1e-6)


def test_an_update_of_nothing_stays_nothing() -> None:
    """Flower's function divides by zero here."""
    assert length(clipped_update(CURRENT, CURRENT, 0.5)) == 0
    same = [CURRENT["matrix"].numpy()]
    with pytest.raises(ZeroDivisionError):
        compute_clip_model_update(list(same), same, 0.5)


def test_tensors_without_dimensions_are_clipped() -> None:
    clipped = clipped_update({"scale": torch.tensor(100.5)}, CURRENT, 0.5)
    assert clipped["scale"].item() == 0.5


# --- central


def test_without_noise_and_clipping_it_is_the_mean() -> None:
    updates = [trained(seed) for seed in range(4)]
    averaged = mean(updates, clipping_norm=1e6)
    for name, value in averaged.items():
        expected = torch.stack([update[name].double() for update in updates]).mean(0)
        assert value.dtype == CURRENT[name].dtype
        assert torch.allclose(value.double(), expected, atol=1e-3)


@given(st.lists(st.integers(0, 99), max_size=4, unique=True), st.floats(0.01, 1e4))
@settings(max_examples=40)
def test_one_client_more_or_less_moves_the_mean_by_the_sensitivity_at_most(
    seeds: list[int], size: float
) -> None:
    """Whatever the others sent, and whichever tensors the one client sent."""
    current = {name: value.double() for name, value in CURRENT.items()}

    def released(updates: list[dict[str, Tensor]]) -> dict[str, Tensor]:
        return private_mean(updates, current, NAMES, 4, 0.5, 1.0, no_noise)

    others = [trained(seed, size) for seed in seeds]
    without = released(others)
    for one in (trained(100, size), trained(101, size, ("matrix",))):
        assert length(difference(released([*others, one]), without)) <= 0.5 / 4 * (1 + 1e-9)


def test_a_tensor_that_few_sent_is_divided_by_all_that_were_asked() -> None:
    averaged = mean([{"matrix": CURRENT["matrix"] + 1}], clipping_norm=1e6)
    assert torch.allclose(averaged["matrix"], CURRENT["matrix"] + 0.25)
    assert torch.equal(averaged["scale"], CURRENT["scale"])


def test_every_tensor_gets_noise_whoever_sent_it() -> None:
    """Else the tensors that change would tell which phase somebody is in."""
    current = {name: torch.zeros(20_000, dtype=torch.float64) for name in ("full", "lora")}
    update = {"lora": torch.zeros(20_000)}
    draw = seeded_draw(torch.Generator().manual_seed(1))
    found = private_mean([update], current, ("full", "lora"), 5, 0.5, 3.0, draw)
    for value in found.values():
        assert value.std().item() == pytest.approx(3.0 * 0.5 / 5, rel=0.03)
        assert abs(value.mean().item()) < 0.01


# --- local


@given(st.integers(0, 99), st.integers(0, 99), st.floats(0.01, 1e4))
@settings(max_examples=40)
def test_other_data_moves_what_a_client_sends_by_the_sensitivity_at_most(
    one: int, other: int, size: float
) -> None:
    current = {name: CURRENT[name].double() for name in ("scale", "matrix")}
    ends = [clipped_update(trained(s, size, tuple(current)), current, 0.5) for s in (one, other)]
    assert length(difference(*ends)) <= 2 * 0.5 * (1 + 1e-9)


def test_noise_of_a_client_is_that_of_two_clipping_norms() -> None:
    current = {"full": torch.zeros(40_000)}
    draw = seeded_draw(torch.Generator().manual_seed(1))
    sent = private_update({"full": torch.ones(40_000)}, current, 0.5, 3.0, draw)
    assert sent["full"].dtype == torch.float32
    assert sent["full"].std().item() == pytest.approx(3.0 * 2 * 0.5, rel=0.02)


def test_a_client_sends_what_it_trained_and_nothing_else() -> None:
    sent = private_update(trained(1, 9.0, ("matrix",)), CURRENT, 0.5, 0.1, no_noise)
    assert list(sent) == ["matrix"]
    assert length(difference(sent, CURRENT)) == pytest.approx(0.5, rel=1e-5)
