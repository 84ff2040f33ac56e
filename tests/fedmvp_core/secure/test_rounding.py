"""Words of numbers: what the sum of many says of their mean, and how wrong it can be."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from fedmvp_core.aggregation import weighted_mean
from fedmvp_core.errors import ConfigError, WireError
from fedmvp_core.privacy.mechanisms import clipped_update
from fedmvp_core.secure.masks import Words
from fedmvp_core.secure.rounding import RING, Scale, mean_of, words_of

LIKE = {"a": torch.zeros(3, 4), "b": torch.zeros(5), "scale": torch.zeros(())}


def update(seed: int, norm: float) -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    made = {n: torch.randn(t.shape, generator=draw, dtype=torch.float64) for n, t in LIKE.items()}
    long = math.sqrt(sum(float(value.square().sum()) for value in made.values()))
    return {name: value * norm / long for name, value in made.items()}


def total_of(words: list[Words]) -> Words:
    total = np.zeros_like(words[0])
    for one in words:
        total += one
    return total


@given(
    weights=st.lists(st.integers(1, 500), min_size=1, max_size=20),
    clip=st.floats(1e-3, 100),
    share=st.floats(0, 1),
    more=st.integers(0, 5),
    seed=st.integers(0, 1000),
)
def test_the_mean_is_within_the_bound_of_the_plain_weighted_mean(
    weights: list[int], clip: float, share: float, more: int, seed: int
) -> None:
    """more: clients that dropped out, for whom the ring has kept room."""
    scale = Scale(clip, len(weights) + more, max(weights))
    updates = [update(seed + i, clip * share) for i in range(len(weights))]
    words = [words_of(u, w, scale) for u, w in zip(updates, weights, strict=True)]
    mean, weight = mean_of(total_of(words), LIKE, len(weights), scale)
    plain = weighted_mean(zip(updates, map(float, weights), strict=True))
    bound = scale.error_bound(len(weights), weight)
    assert weight == sum(weights)
    assert bound <= scale.step * max(weights) / 2 * 1.001
    for name, value in plain.items():
        assert mean[name].shape == value.shape
        # Beside rounding to steps there is float64's own of the plain mean.
        assert float((mean[name] - value).abs().max()) <= bound + 1e-15 * clip


def test_the_bound_is_reached() -> None:
    """It is no looser than it has to be: numbers halfway between two steps are off by half."""
    scale = Scale(1.0, 3, 1)
    half = {"a": torch.tensor([scale.step / 2 * 0.9999], dtype=torch.float64)}
    words = [words_of(half, 1, scale) for _ in range(3)]
    mean, _ = mean_of(total_of(words), half, 3, scale)
    off = float((mean["a"] - half["a"]).abs())
    assert 0.99 * scale.error_bound(3, 3) <= off <= scale.error_bound(3, 3)


@given(st.integers(1, 2000), st.integers(1, 1000))
def test_the_greatest_numbers_do_not_wrap(clients: int, weight: int) -> None:
    scale = Scale(2.0, clients, weight)
    assert clients * scale.largest < RING // 2
    longest = {"a": torch.tensor([2.0, 0.0], dtype=torch.float64)}
    shortest = {"a": torch.tensor([-2.0, 0.0], dtype=torch.float64)}
    for one in (longest, shortest):
        words = words_of(one, weight, scale) * np.uint32(clients)
        mean, total = mean_of(words, one, clients, scale)
        assert total == clients * weight
        assert float((mean["a"] - one["a"]).abs().max()) <= scale.error_bound(clients, total)


def test_a_clipped_update_always_fits() -> None:
    scale, zeros = Scale(0.5, 8, 1), {name: value.double() for name, value in LIKE.items()}
    for seed in range(50):
        words_of(clipped_update(update(seed, 7.0), zeros, 0.5), 1, scale)


@pytest.mark.parametrize("number", [math.nan, math.inf, 0.51, -0.51])
def test_what_could_not_be_seen_in_the_sum_stays_at_the_client(number: float) -> None:
    with pytest.raises(WireError, match=r"norm .*; allowed: up to 0\.5 \(clipping-norm\)"):
        words_of({"a": torch.tensor([number, 0.0], dtype=torch.float64)}, 1, Scale(0.5, 8, 1))


@pytest.mark.parametrize("weight", [0, -3, 11])
def test_no_client_weighs_more_than_agreed(weight: int) -> None:
    with pytest.raises(WireError, match=f"weight is {weight}; allowed: 1 to 10"):
        words_of(update(1, 0.1), weight, Scale(0.5, 8, 10))


def test_a_sum_with_a_mask_in_it_is_noticed() -> None:
    scale = Scale(0.5, 3, 1)
    total = total_of([words_of(update(i, 0.5), 1, scale) for i in range(3)])
    with pytest.raises(WireError, match="a mask is left in it"):
        mean_of(total + np.uint32(2**31 - 5), LIKE, 3, scale)


def test_too_many_images_for_the_ring() -> None:
    with pytest.raises(ConfigError, match="adds up 1000 clients of up to 10000000 images"):
        Scale(0.5, 1000, 10_000_000)
