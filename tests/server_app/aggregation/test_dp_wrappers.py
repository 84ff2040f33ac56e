"""Flower's differential privacy wrappers: clipping, noise, and the seed that they follow."""

from typing import Any

import pytest
import torch
from federation_harness import set_identity
from rules import mean_change, random_updates, rule_named
from torch import Tensor

WRAPPERS = ("dp-fixed-clipping", "dp-adaptive-clipping")
NORM = {"dp-fixed-clipping": "clipping_norm", "dp-adaptive-clipping": "initial_clipping_norm"}
CURRENT = {"a": torch.full((30, 40), 3.0), "b": torch.zeros(7)}


@pytest.fixture(autouse=True)
def _identity() -> None:
    set_identity()


def rounds(name: str, seed: int = 1, **options: Any) -> list[dict[str, Tensor]]:
    """The tensors after two rounds, each begun with the same updates."""
    rule = rule_named(name, config={"seed": seed}, **options)
    return [rule(random_updates(CURRENT, 5, seed=0), CURRENT) for _ in range(2)]


@pytest.mark.parametrize("name", WRAPPERS)
def test_the_same_seed_the_same_bits(name: str) -> None:
    first, second = rounds(name)
    again, _ = rounds(name)
    other, _ = rounds(name, seed=2)
    assert all(torch.equal(value, again[n]) for n, value in first.items())
    for different in (second, other):
        assert not any(torch.equal(value, different[n]) for n, value in first.items())


def test_without_noise_and_with_a_huge_norm_it_is_fedavg() -> None:
    updates = random_updates(CURRENT, 5, seed=0)
    mean = rule_named("fedavg")(updates, CURRENT)
    for name in WRAPPERS:
        options = {"noise_multiplier": 0.0, NORM[name]: 1e9}
        found = rule_named(name, **options)(updates, CURRENT)
        for key, value in mean.items():
            torch.testing.assert_close(found[key], value, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", WRAPPERS)
def test_updates_are_clipped(name: str) -> None:
    updates = random_updates(CURRENT, 1, seed=0)
    found = rule_named(name, **{"noise_multiplier": 0.0, NORM[name]: 0.25})(updates, CURRENT)
    change = torch.cat([(found[n] - CURRENT[n]).double().flatten() for n in CURRENT])
    whole = torch.cat([v.flatten() for v in mean_change(updates, CURRENT).values()])
    assert whole.norm() > 1
    torch.testing.assert_close(change, 0.25 * whole / whole.norm(), rtol=1e-3, atol=1e-6)


def test_the_noise_has_the_promised_size() -> None:
    """Its deviation is multiplier times norm over the number of updates (McMahan et al.)."""
    options = {"clipping_norm": 0.5, "noise_multiplier": 2.0}
    noisy, _ = rounds("dp-fixed-clipping", **options)
    quiet, _ = rounds("dp-fixed-clipping", clipping_norm=0.5, noise_multiplier=0.0)
    noise = (noisy["a"] - quiet["a"]).double()
    assert float(noise.std()) == pytest.approx(2.0 * 0.5 / 5, rel=0.1)
    assert abs(float(noise.mean())) < 0.03


def test_the_norm_follows_the_updates() -> None:
    """Updates of a norm above 3 pull a norm of 0.1 upwards, and the next round moves further."""
    first, second = rounds(
        "dp-adaptive-clipping", noise_multiplier=0.0, initial_clipping_norm=0.1, clip_norm_lr=0.5
    )
    moved = [float((tensors["a"] - CURRENT["a"]).norm()) for tensors in (first, second)]
    assert moved[1] > 1.1 * moved[0]
