"""Norm clipping with weak noise against a slow one in NumPy."""

import numpy as np
import pytest
import torch
from federation_harness import set_identity
from numpy.typing import NDArray
from rules import random_updates, rule_named
from torch import Tensor

from fedmvp_core.errors import ConfigError
from server_app.aggregation import Update

CURRENT = {"a": torch.full((30, 40), 3.0), "b": torch.zeros(7)}


@pytest.fixture(autouse=True)
def _identity() -> None:
    set_identity()


def flat(tensors: dict[str, Tensor]) -> NDArray[np.float64]:
    return np.concatenate(
        [(tensors[n].double() - CURRENT[n].double()).numpy().ravel() for n in CURRENT]
    )


def of_lengths(lengths: list[float]) -> list[Update]:
    """Updates whose changes have these lengths."""
    found = []
    for update, length in zip(random_updates(CURRENT, len(lengths), seed=0), lengths, strict=True):
        scale = length / float(np.linalg.norm(flat(dict(update.tensors))))
        tensors = {n: CURRENT[n] + scale * (t - CURRENT[n]) for n, t in update.tensors.items()}
        found.append(Update(update.partition_id, tensors, 1))
    return found


def slow(updates: list[Update], norm: float | None) -> NDArray[np.float64]:
    rows = [flat(dict(update.tensors)) for update in updates]
    lengths = sorted(float(np.linalg.norm(row)) for row in rows)
    half = len(lengths) // 2
    middle = lengths[half] if len(lengths) % 2 else (lengths[half - 1] + lengths[half]) / 2
    most = middle if norm is None else norm
    clipped = [row * min(1.0, most / float(np.linalg.norm(row))) for row in rows]
    mean: NDArray[np.float64] = np.mean(clipped, axis=0)
    return mean


@pytest.mark.parametrize("norm", [None, 0.7])
@pytest.mark.parametrize("lengths", [[1.0, 2.0, 3.0, 4.0, 90.0], [0.5, 1.0, 2.0, 80.0]])
def test_without_noise_it_is_the_mean_of_clipped_updates(
    lengths: list[float], norm: float | None
) -> None:
    updates = of_lengths(lengths)
    rule = rule_named("clipped-noise", noise_multiplier=0.0, clipping_norm=norm or 0.0)
    for _ in range(2):  # the norm of a round is not that of the one before
        np.testing.assert_allclose(flat(rule(updates, CURRENT)), slow(updates, norm), atol=2e-6)
        np.testing.assert_allclose(
            flat(rule(updates[:3], CURRENT)), slow(updates[:3], norm), atol=2e-6
        )


def test_noise_has_the_deviation_that_is_asked_for_and_follows_the_seed() -> None:
    updates = of_lengths([1.0, 2.0, 3.0])

    def noise(seed: int) -> list[NDArray[np.float64]]:
        config = {"seed": seed}
        rule = rule_named("clipped-noise", config=config, noise_multiplier=0.3)
        return [flat(rule(updates, CURRENT)) - slow(updates, None) for _ in range(2)]

    first, again, other = noise(1), noise(1), noise(2)
    assert first[0].std() == pytest.approx(0.3 * 2.0 / 3, rel=0.1)
    assert np.array_equal(first[0], again[0])
    assert not np.allclose(first[0], first[1])
    assert not np.allclose(first[0], other[0])


def test_the_order_of_clients_does_not_matter() -> None:
    updates = of_lengths([1.0, 5.0, 2.0, 9.0])
    turned = [Update(i, u.tensors, 1) for i, u in enumerate(reversed(updates))]
    first, second = (rule_named("clipped-noise")(some, CURRENT) for some in (updates, turned))
    np.testing.assert_allclose(flat(first), flat(second), atol=1e-6)


def test_no_update_moves_the_mean_further_than_the_median() -> None:
    honest = of_lengths([1.0, 1.0, 1.0, 1.0])
    huge = of_lengths([1.0, 1.0, 1.0, 1.0, 1e4])
    rule = rule_named("clipped-noise", noise_multiplier=0.0)
    moved = flat(rule(huge, CURRENT)) - 0.8 * flat(rule(honest, CURRENT))
    assert float(np.linalg.norm(moved)) == pytest.approx(0.2, rel=1e-2)


def test_updates_that_change_nothing_are_taken() -> None:
    still = [Update(i, dict(CURRENT), 1) for i in range(3)]
    found = rule_named("clipped-noise")(still, CURRENT)
    assert np.abs(flat(found)).max() < 1e-6


def test_options_out_of_range() -> None:
    with pytest.raises(ConfigError, match="noise-multiplier"):
        rule_named("clipped-noise", noise_multiplier=-1.0)
