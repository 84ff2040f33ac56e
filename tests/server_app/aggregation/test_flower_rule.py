"""Flower's strategies as rules: groups of tensors, draws, and what lives between rounds."""

import random
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from federation_harness import set_identity
from flwr.app import ArrayRecord, Message, MetricRecord
from flwr.serverapp.strategy import FedAvg
from rules import random_updates, rule_named
from torch import Tensor

from fedmvp_core.registry import AGGREGATIONS, names_in
from server_app.aggregation import (
    AggregationContext,
    Rule,
    TooFewUpdatesError,
    Update,
    flower_rule,
    restore_rule,
    rule_state,
)
from server_app.aggregation.flower_rule import groups, seeded
from server_app.records.checkpoints import ServerState, read_checkpoint, save_checkpoint

CONTEXT = AggregationContext("uniform", seed=1, share=1.0)
CLIENTS = 11
# With these, the five or six clients of a phase are enough.
SMALL = {
    "krum": {"malicious_share": 0.1},
    "multikrum": {"malicious_share": 0.1},
    "bulyan": {"malicious_share": 0.0},
    "dp-adaptive-clipping": {"noise_multiplier": 0.3},
}
CURRENT: Mapping[str, Tensor] = {
    "shared": torch.zeros(2, 3),
    "full": torch.ones(4),
    "lora": torch.full((), 2.0),
}


@pytest.fixture(autouse=True)
def _identity() -> None:
    set_identity()


def updates_of(round_number: int, current: Mapping[str, Tensor]) -> list[Update]:
    """All clients send all until round 3; afterwards the phases of some differ."""
    updates = random_updates(current, CLIENTS, seed=round_number)
    if round_number < 3:
        return updates
    dropped = ("lora", "full")
    return [
        Update(
            u.partition_id,
            {n: t for n, t in u.tensors.items() if n != dropped[u.partition_id % 2]},
            u.num_examples,
            u.metrics,
        )
        for u in updates
    ]


def played(rule: Rule, current: Mapping[str, Tensor], rounds: Iterable[int]) -> dict[str, Tensor]:
    tensors = dict(current)
    for round_number in rounds:
        tensors |= rule(updates_of(round_number, tensors), tensors)
    return tensors


@pytest.mark.parametrize("name", names_in(AGGREGATIONS))
def test_every_installed_aggregation_goes_on_from_a_checkpoint(name: str, tmp_path: Path) -> None:
    """Ten rounds, and five with five more of a fresh rule: the same bits."""
    options = SMALL.get(name, {})
    undisturbed = played(rule_named(name, **options), CURRENT, range(10))
    first = rule_named(name, **options)
    halfway = played(first, CURRENT, range(5))
    save_checkpoint(tmp_path, 5, halfway, {}, ServerState({}, dict(rule_state(first))))
    read = read_checkpoint(tmp_path, 5, dict(CURRENT))
    second = rule_named(name, **options)
    restore_rule(second, read.state.strategy)
    found = played(second, read.tensors, range(5, 10))
    assert found.keys() == undisturbed.keys()
    for key, value in undisturbed.items():
        assert torch.equal(found[key], value), key
    assert not torch.equal(undisturbed["shared"], CURRENT["shared"])


@pytest.mark.parametrize("name", ["fedadam", "fedavgm", "dp-fixed-clipping"])
def test_a_rule_that_is_not_restored_goes_another_way(name: str) -> None:
    """What the test above compares does depend on the state."""
    undisturbed = played(rule_named(name), CURRENT, range(4))
    halfway = played(rule_named(name), CURRENT, range(2))
    forgetful = played(rule_named(name), halfway, range(2, 4))
    assert not torch.equal(forgetful["shared"], undisturbed["shared"])


def test_tensors_with_the_same_senders_stand_together() -> None:
    found = groups(updates_of(3, CURRENT))
    assert [(names, [u.partition_id for u in senders]) for names, senders in found] == [
        (["shared"], list(range(CLIENTS))),
        (["full"], list(range(0, CLIENTS, 2))),
        (["lora"], list(range(1, CLIENTS, 2))),
    ]


class Silent(FedAvg):
    """Makes nothing of what it gets."""

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        return None, None


def test_a_strategy_that_makes_nothing_of_updates_has_too_few() -> None:
    rule = flower_rule(lambda options: Silent())(None, CONTEXT)
    with pytest.raises(TooFewUpdatesError, match="Silent made nothing of 11 updates"):
        rule(updates_of(0, CURRENT), CURRENT)


def test_a_group_that_is_too_small_stays_as_it_was() -> None:
    rule = flower_rule(lambda o: FedAvg(), fewest=lambda o, updates: 6)(None, CONTEXT)
    assert set(rule(updates_of(3, CURRENT), CURRENT)) == {"shared", "full"}
    with pytest.raises(TooFewUpdatesError, match="6 updates are needed, and there are 3"):
        rule(updates_of(3, CURRENT)[:3], CURRENT)


def test_large_tensors_lose_nothing_beside_small_updates() -> None:
    current = {"a": torch.full((3,), 1e6, dtype=torch.float64)}
    changes = (1e-9, 3e-9)
    updates = [Update(i, {"a": current["a"] + c}, 1) for i, c in enumerate(changes)]
    expected = torch.stack([u.tensors["a"] for u in updates]).mean(dim=0)
    found = flower_rule(lambda options: FedAvg())(None, CONTEXT)(updates, current)["a"]
    assert torch.equal(found, expected)


def test_draws_follow_from_seed_and_round_and_leave_the_others_alone() -> None:
    def drawn(seed: int, round_number: int) -> tuple[float, float]:
        with seeded(seed, round_number):
            return random.random(), float(np.random.random())

    random.seed(5)
    np.random.seed(5)
    expected = random.random(), float(np.random.random())
    random.seed(5)
    np.random.seed(5)
    first = drawn(1, 1)
    assert (random.random(), float(np.random.random())) == expected
    assert drawn(1, 1) == first
    assert len({first, drawn(1, 2), drawn(2, 1)}) == 3
