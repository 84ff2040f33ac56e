"""Flower's differential privacy wrappers: clipping, noise, and the seed that they follow."""

import json
import math
from typing import Any

import pytest
import torch
from federation_harness import set_identity
from rules import configured, mean_change, random_updates, rule_named
from torch import Tensor

from fedmvp_core.errors import ConfigError
from server_app.aggregation import Update, rule_state

WRAPPERS = ("dp-fixed-clipping", "dp-adaptive-clipping")
NORM = {"dp-fixed-clipping": "clipping_norm", "dp-adaptive-clipping": "initial_clipping_norm"}
CURRENT = {"a": torch.full((30, 40), 3.0), "b": torch.zeros(7)}


@pytest.fixture(autouse=True)
def _identity() -> None:
    set_identity()


def rounds(name: str, seed: int = 1, **options: Any) -> list[dict[str, Tensor]]:
    """The tensors after two rounds, each begun with the same twelve updates."""
    rule = rule_named(name, config={"seed": seed}, **options)
    return [rule(random_updates(CURRENT, 12, seed=0), CURRENT) for _ in range(2)]


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
    assert float(noise.std()) == pytest.approx(2.0 * 0.5 / 12, rel=0.1)
    assert abs(float(noise.mean())) < 0.03


@pytest.mark.parametrize(("initial", "grows"), [(0.1, True), (1e3, False)])
def test_the_norm_follows_the_updates(initial: float, grows: bool) -> None:
    """It goes towards the norm of updates, by exp(rate / 2) a round while all are on one side."""
    rule = rule_named(
        "dp-adaptive-clipping",
        noise_multiplier=0.0,
        initial_clipping_norm=initial,
        clip_norm_lr=0.5,
    )
    updates = random_updates(CURRENT, 5, seed=0)
    norms = []
    for _ in range(3):
        rule(updates, CURRENT)
        norms.append(json.loads(bytes(rule_state(rule)["0/attributes"].numpy()))["clipping_norm"])
    factor = math.exp(0.25 if grows else -0.25)
    assert [n["value"] for n in norms] == pytest.approx([initial * factor**i for i in (1, 2, 3)])


def test_the_norm_ends_at_the_quantile() -> None:
    """Updates of norms 1 to 9, of which three are to be clipped: between 6 and 7."""
    options = {"initial_clipping_norm": 0.1, "target_clipped_quantile": 1 / 3}
    rule = rule_named("dp-adaptive-clipping", noise_multiplier=0.0, clip_norm_lr=0.1, **options)
    updates = [Update(i, {"a": torch.tensor([float(i)])}, 1) for i in range(1, 10)]
    for _ in range(200):
        rule(updates, {"a": torch.zeros(1)})
    norm = json.loads(bytes(rule_state(rule)["0/attributes"].numpy()))["clipping_norm"]["value"]
    assert 5.9 < norm < 7.1


def test_the_adaptive_noise_is_that_of_the_paper() -> None:
    """A part of the noise is spent on the count, so the mean has a little more (theorem 1)."""
    options = {"noise_multiplier": 1.0, "initial_clipping_norm": 0.5}
    rule = rule_named("dp-adaptive-clipping", **options)
    quiet = rule_named("dp-adaptive-clipping", **(options | {"noise_multiplier": 0.0}))
    updates = random_updates(CURRENT, 20, seed=0)
    noise = (rule(updates, CURRENT)["a"] - quiet(updates, CURRENT)["a"]).double()
    norm = json.loads(bytes(rule_state(rule)["0/attributes"].numpy()))["clipping_norm"]["value"]
    expected = (1 - (2 * 20 / 20) ** -2) ** -0.5 * norm / 20
    assert float(noise.std()) == pytest.approx(expected, rel=0.1)


def test_adaptive_clipping_says_how_many_clients_its_noise_needs() -> None:
    with pytest.raises(ConfigError, match=r"needs 11 clients a round \(noise-multiplier 1.0"):
        configured("dp-adaptive-clipping").check_cohort(10)
    configured("dp-adaptive-clipping").check_cohort(11)
    configured("dp-adaptive-clipping", noise_multiplier=0.0).check_cohort(1)


@pytest.mark.parametrize("name", WRAPPERS)
def test_an_update_that_is_exactly_zero_counts_as_one(name: str) -> None:
    """A client whose tensors did not move; Flower's clipping divides by its length."""
    updates = [
        Update(0, dict(CURRENT), 1, {"train-loss": 1.0}),
        random_updates(CURRENT, 2, seed=0)[1],
    ]
    rule = rule_named(name, **{"noise_multiplier": 0.0, NORM[name]: 1e9})
    found = rule(updates, CURRENT)
    for key, change in mean_change(updates, CURRENT).items():
        moved = found[key].double() - CURRENT[key]
        torch.testing.assert_close(moved, change, rtol=1e-5, atol=1e-6)
    alone = rule_named(name, noise_multiplier=0.0)(updates[:1], CURRENT)
    assert all(torch.equal(value, CURRENT[key]) for key, value in alone.items())
