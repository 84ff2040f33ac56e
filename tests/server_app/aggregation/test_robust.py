"""Robust aggregations, each against a slow one of plain numbers."""

import itertools
from collections.abc import Callable, Mapping

import pytest
import torch
from federation_harness import set_identity
from flwr.app import Array, ArrayRecord, Message, MessageType, MetricRecord, RecordDict
from flwr.serverapp.strategy import Bulyan, Krum, MultiKrum, Strategy
from rules import configured, random_updates, rule_named
from torch import Tensor

from fedmvp_core.errors import ConfigError
from server_app.aggregation import TooFewUpdatesError, Update, changes
from server_app.aggregation.robust import RobustOptions, malicious_clients

# The fewest updates with which a rule withstands f liars, as the papers have it.
FEWEST: Mapping[str, Callable[[int], int]] = {
    "fedmedian": lambda f: 2 * f + 1,
    "fedtrimmedavg": lambda f: 2 * f + 1,
    "krum": lambda f: 2 * f + 3,
    "multikrum": lambda f: 2 * f + 3,
    "bulyan": lambda f: 4 * f + 3,
}
ROBUST = tuple(FEWEST)


def median(values: list[float]) -> float:
    ordered, half = sorted(values), len(values) // 2
    return ordered[half] if len(values) % 2 else (ordered[half - 1] + ordered[half]) / 2


def krum_order(rows: list[list[float]], liars: int) -> list[int]:
    """Positions by the sum of squared distances to the n - f - 2 nearest others."""

    def score(at: int) -> float:
        distances = sorted(
            sum((a - b) ** 2 for a, b in zip(rows[at], row, strict=True))
            for other, row in enumerate(rows)
            if other != at
        )
        return sum(distances[: len(rows) - liars - 2])

    return sorted(range(len(rows)), key=score)


def mean_rows(rows: list[list[float]], weights: list[float]) -> list[float]:
    return [
        sum(w * v for w, v in zip(weights, column, strict=True)) / sum(weights)
        for column in zip(*rows, strict=True)
    ]


def slow(name: str, rows: list[list[float]], weights: list[float], liars: int) -> list[float]:
    columns, n = [list(column) for column in zip(*rows, strict=True)], len(rows)
    if name == "fedmedian":
        return [median(column) for column in columns]
    if name == "fedtrimmedavg":
        kept = [sorted(column)[liars : n - liars] for column in columns]
        return [sum(values) / len(values) for values in kept]
    order = krum_order(rows, liars)
    if name == "bulyan":
        chosen, result = [rows[at] for at in order[: n - 2 * liars]], []
        for column in zip(*chosen, strict=True):
            middle = median(list(column))
            nearest = sorted(column, key=lambda value: abs(value - middle))[: n - 4 * liars]
            result.append(sum(nearest) / len(nearest))
        return result
    best = order[: 1 if name == "krum" else n - liars]
    return mean_rows([rows[at] for at in best], [weights[at] for at in best])


def updates_of(rows: Tensor, examples: list[int]) -> list[Update]:
    """Rows of seven numbers as a matrix, a vector and a number without a dimension."""
    return [
        Update(i, {"a": row[:4].reshape(2, 2), "b": row[4:6], "c": row[6]}, images)
        for i, (row, images) in enumerate(zip(rows, examples, strict=True))
    ]


@pytest.mark.parametrize("offset", [0.0, 1000.0])
@pytest.mark.parametrize(("clients", "share"), [(7, 0.2), (11, 0.2), (15, 0.2), (8, 0.0)])
@pytest.mark.parametrize("weighting", ["uniform", "examples"])
@pytest.mark.parametrize("name", ROBUST)
def test_robust_strategies_against_slow_ones(
    name: str,
    weighting: str,
    clients: int,
    share: float,
    offset: float,
) -> None:
    """offset: prompt tensors that are large beside the updates, which lie a hundredth around."""
    set_identity()
    aggregation = configured(name, config={"weighting": weighting}, malicious_share=share)
    draw = torch.Generator().manual_seed(clients)
    center = offset + torch.randn(7, generator=draw)
    rows = center + torch.randn(clients, 7, generator=draw) / 100
    rows[1] += 5.0
    examples = list(range(3, 3 + clients))
    sent = {"a": center[:4].reshape(2, 2), "b": center[4:6], "c": center[6]}
    found = aggregation.rule()(updates_of(rows, examples), sent)
    weights = [1.0] * clients if weighting == "uniform" else [float(e) for e in examples]
    liars = malicious_clients(aggregation.options, clients)
    expected = slow(name, rows.double().tolist(), weights, liars)
    flat = torch.cat([found[key].flatten() for key in "abc"])
    torch.testing.assert_close(flat, torch.tensor(expected), rtol=1e-6, atol=1e-5)
    assert {key: (v.shape, v.dtype) for key, v in found.items()} == {
        key: (v.shape, v.dtype) for key, v in sent.items()
    }


@pytest.mark.parametrize("name", ROBUST)
def test_liars_up_to_the_share_cannot_carry_the_result_away(name: str) -> None:
    """Whichever three of fifteen lie, all alike or each otherwise, it stays among the honest."""
    set_identity()
    aggregate = rule_named(name)
    draw = torch.Generator().manual_seed(0)
    honest = torch.randn(15, 7, generator=draw)
    sent = {"a": torch.zeros(2, 2), "b": torch.zeros(2), "c": torch.zeros(())}
    for liars in itertools.islice(itertools.combinations(range(15), 3), 0, None, 45):
        for lies in (torch.full((3, 7), 1e30), -1e4 * torch.rand(3, 7, generator=draw)):
            rows = honest.clone()
            rows[list(liars)] = lies
            found = aggregate(updates_of(rows, [1] * 15), sent)
            flat = torch.cat([found[key].flatten() for key in "abc"])
            rest = torch.stack([row for i, row in enumerate(honest) if i not in liars])
            assert (flat >= rest.min(dim=0).values).all()
            assert (flat <= rest.max(dim=0).values).all()


@pytest.mark.parametrize("name", ROBUST)
def test_phases_are_aggregated_apart_and_small_ones_not_at_all(name: str) -> None:
    """Three of fifteen say that they alone are in another phase; their tensors stay as sent."""
    set_identity()
    aggregate = rule_named(name)
    one = {"shared": torch.ones(2), "full": torch.ones(3)}
    other = {"shared": torch.full((2,), 9.0), "lora": torch.full((4,), 9.0)}
    sent = {"shared": torch.zeros(2), "full": torch.zeros(3), "lora": torch.zeros(4)}
    updates = [Update(i, other if i < 3 else one, 5) for i in range(15)]
    found = aggregate(updates, sent)
    expected = {"shared"} if name == "bulyan" else {"shared", "full"}  # 12 of the 15 it needs
    assert set(found) == expected
    assert all(torch.equal(value, one[key]) for key, value in found.items())


@pytest.mark.parametrize("name", ROBUST)
def test_fewer_updates_than_the_rule_needs(name: str) -> None:
    set_identity()
    aggregation = configured(name, malicious_share=0.45)
    assert malicious_clients(aggregation.options, 10) == 4
    needed = FEWEST[name](4)
    updates = [Update(i, {"a": torch.ones(1)}, 5) for i in range(10)]
    if needed > 10:
        sentence = rf"'{name}', which needs {needed} clients a round \(malicious-share 0.45"
        with pytest.raises(ConfigError, match=sentence):
            aggregation.check_cohort(10)
        with pytest.raises(TooFewUpdatesError, match=f"{needed} updates are needed, .* are 10"):
            aggregation.rule()(updates, {"a": torch.zeros(1)})
    else:
        aggregation.check_cohort(10)
        assert aggregation.rule()(updates, {"a": torch.zeros(1)})


def test_multikrum_of_some_clients() -> None:
    set_identity()
    updates = [Update(i, {"a": torch.tensor([v])}, 1) for i, v in enumerate([0, 1, 1.2, 1.5, 3.0])]
    found = rule_named("multikrum", selected_clients=2)(updates, {"a": torch.zeros(1)})
    assert float(found["a"]) == pytest.approx((1 + 1.2) / 2)


@pytest.mark.parametrize(("share", "clients", "liars"), [(0.2, 15, 3), (0.29, 100, 29), (0, 9, 0)])
def test_the_share_is_rounded_down(share: float, clients: int, liars: int) -> None:
    assert malicious_clients(RobustOptions(float(share)), clients) == liars


@pytest.mark.parametrize(
    ("name", "whole"),
    [
        ("krum", Krum(num_malicious_nodes=4)),
        ("multikrum", MultiKrum(num_malicious_nodes=4, num_nodes_to_select=20)),
        ("bulyan", Bulyan(num_malicious_nodes=4)),
    ],
)
def test_updates_in_parts_give_the_bits_that_flower_makes_of_whole_ones(
    name: str, whole: Strategy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against Flower's own class, which is given all numbers of all 24 updates at once."""
    set_identity()
    current = {"a": torch.linspace(-1, 1, 150).reshape(10, 15), "b": torch.zeros(7)}
    updates = random_updates(current, 24, seed=3)
    replies = []
    for update in updates:
        moved = {
            n: Array((update.tensors[n].double() - v.double()).numpy()) for n, v in current.items()
        }
        records = {"arrays": ArrayRecord(moved), "metrics": MetricRecord({"num-examples": 1.0})}
        replies.append(Message(RecordDict(records), dst_node_id=1, message_type=MessageType.TRAIN))
    made, _ = whole.aggregate_train(1, replies)
    assert made is not None
    monkeypatch.setattr(changes, "NUMBERS_AT_ONCE", 24 * 50)
    found = rule_named(name)(updates, current)
    for key, value in current.items():
        change = torch.from_numpy(made[key].numpy())
        assert torch.equal(found[key], (value.double() + change).float())
