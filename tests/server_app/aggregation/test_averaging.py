"""Means of all updates, and the terms that come with some of them."""

import pytest
import torch
from federation_harness import set_identity
from flwr.serverapp.strategy import FedAvg
from rules import configured, random_updates, rule_named

from server_app.aggregation import AggregationContext, Update, flower_rule


@pytest.mark.parametrize("name", ["fedavg", "fedprox", "scaffold"])
@pytest.mark.parametrize(("weighting", "expected"), [("uniform", 2.0), ("examples", 2.5)])
def test_the_mean(name: str, weighting: str, expected: float) -> None:
    aggregate = rule_named(name, config={"weighting": weighting})
    updates = [
        Update(0, {"a": torch.tensor([1.0])}, 10),
        Update(1, {"a": torch.tensor([3.0])}, 30),
    ]
    averaged = aggregate(updates, {"a": torch.zeros(1), "b": torch.zeros(1)})
    assert {name: value.item() for name, value in averaged.items()} == {"a": expected}


@pytest.mark.parametrize("weighting", ["uniform", "examples"])
def test_it_is_flowers_own(weighting: str) -> None:
    set_identity()
    draw = torch.Generator().manual_seed(3)
    current = {"a": torch.randn(5, 4, generator=draw), "b": torch.randn((), generator=draw)}
    updates = random_updates(current, 6, seed=1)
    own = rule_named("fedavg", config={"weighting": weighting})(updates, current)
    context = AggregationContext(weighting, seed=1, share=1.0)
    flowers = flower_rule(lambda options: FedAvg())(None, context)(updates, current)
    assert own.keys() == flowers.keys() == current.keys()
    for name, value in own.items():
        torch.testing.assert_close(value, flowers[name], rtol=3e-7, atol=3e-7)


def test_a_mean_needs_no_number_of_clients() -> None:
    configured("fedavg").check_cohort(1)


def test_what_clients_are_asked_for() -> None:
    assert configured("fedavg").term() is None
    assert configured("fedprox", mu=0.5).term() == ("fedprox", "mu=0.5")
    half = configured("scaffold", config={"fraction_train": 0.5})
    assert half.term() == ("scaffold", "share=0.5")
