"""SFAT: who is favoured, and by how much."""

import pytest
import torch
from rules import configured, rule_named

from fedmvp_core.errors import ConfigError
from server_app.aggregation import Update

CURRENT = {"a": torch.zeros(1)}


def updates(losses: list[float]) -> list[Update]:
    return [
        Update(i, {"a": torch.tensor([10.0**i])}, i + 1, {"train-loss": loss})
        for i, loss in enumerate(losses)
    ]


def mean(weights: list[float]) -> float:
    return sum(w * 10.0**i for i, w in enumerate(weights)) / sum(weights)


@pytest.mark.parametrize(
    ("losses", "share", "weights"),
    [
        ([4.0, 1.0, 3.0, 2.0], 0.5, [1.0, 1.3, 1.0, 1.3]),
        ([4.0, 1.0, 3.0, 2.0], 0.25, [1.0, 1.3, 1.0, 1.0]),
        ([4.0, 1.0, 3.0, 2.0], 0.0, [1.0, 1.0, 1.0, 1.0]),
        ([1.0, 1.0, 1.0], 0.34, [1.3, 1.0, 1.0]),  # of equal losses the first
    ],
)
def test_small_losses_weigh_more(losses: list[float], share: float, weights: list[float]) -> None:
    rule = rule_named("sfat", slack=0.3, favoured_share=share)
    found = float(rule(updates(losses), CURRENT)["a"])
    assert found == pytest.approx(mean(weights), rel=1e-6)


def test_the_slack_multiplies_the_weights_of_the_run() -> None:
    rule = rule_named("sfat", config={"weighting": "examples"}, slack=0.3)
    found = float(rule(updates([4.0, 1.0, 3.0, 2.0]), CURRENT)["a"])
    assert found == pytest.approx(mean([1.0, 2.6, 3.0, 5.2]), rel=1e-6)


def test_no_slack_is_fedavg() -> None:
    found = rule_named("sfat", slack=0)(updates([2.0, 1.0]), CURRENT)
    assert torch.equal(found["a"], rule_named("fedavg")(updates([2.0, 1.0]), CURRENT)["a"])


def test_losses_that_are_kept_back_are_asked_for() -> None:
    quiet = [Update(0, {"a": torch.ones(1)}, 1)]
    with pytest.raises(ConfigError, match="updates tell no train-loss; allowed: share-metrics=tru"):
        rule_named("sfat")(quiet, CURRENT)


def test_its_options_have_limits() -> None:
    with pytest.raises(ConfigError, match=r"aggregation 'sfat'.*favoured-share is 1\.5"):
        configured("sfat", favoured_share=1.5)
