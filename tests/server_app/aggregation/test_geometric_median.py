"""The geometric median against a slow minimiser."""

import pytest
import torch
from rules import random_updates, rule_named
from torch import Tensor

from server_app.aggregation import Update, changes
from server_app.aggregation.geometric_median import weiszfeld


def found_in_parts(points: Tensor, weights: Tensor, iterations: int) -> Tensor:
    """The first coordinate and the others, one part after the other."""
    parts = [lambda: points[:, :1], lambda: points[:, 1:]]
    return torch.cat(weiszfeld(parts, weights, iterations, 1e-9))


def cost(points: Tensor, weights: Tensor, at: Tensor) -> float:
    return float((weights * (points - at).norm(dim=1)).sum())


def slow_minimum(points: Tensor, weights: Tensor) -> Tensor:
    """Pattern search: a step along any axis that lowers the cost, halved where none does."""
    at, step = points.median(dim=0).values.clone(), 4.0
    moves = torch.cat([torch.eye(points.shape[1]), -torch.eye(points.shape[1])]).double()
    best = cost(points, weights, at)
    while step > 1e-9:
        found = min((cost(points, weights, at + step * move), i) for i, move in enumerate(moves))
        if found[0] < best:
            best, at = found[0], at + step * moves[found[1]]
        else:
            step /= 2
    return at


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_weiszfeld_finds_the_minimum(seed: int, weighted: bool) -> None:
    draw = torch.Generator().manual_seed(seed)
    points = torch.randn(7, 3, generator=draw, dtype=torch.float64)
    points[0] *= 20
    weights = torch.ones(7, dtype=torch.float64)
    if weighted:
        weights = 1 + torch.rand(7, generator=draw, dtype=torch.float64)
    found, slow = found_in_parts(points, weights, 2000), slow_minimum(points, weights)
    assert cost(points, weights, found) <= cost(points, weights, slow) + 1e-7
    torch.testing.assert_close(found, slow, rtol=1e-3, atol=1e-3)


def test_on_a_line_it_is_the_median() -> None:
    points = torch.tensor([[0.0], [1.0], [2.0], [50.0], [1e4]], dtype=torch.float64)
    found = found_in_parts(points, torch.ones(5, dtype=torch.float64), 500)
    assert float(found) == pytest.approx(2.0, abs=1e-3)


def test_every_iteration_lowers_the_cost() -> None:
    points = torch.randn(9, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    weights = torch.ones(9, dtype=torch.float64)
    costs = [cost(points, weights, found_in_parts(points, weights, n)) for n in range(8)]
    assert costs == sorted(costs, reverse=True)
    assert torch.allclose(found_in_parts(points, weights, 0), points.mean(dim=0))


def test_liars_with_less_than_half_move_it_little() -> None:
    current = {"a": torch.zeros(4), "b": torch.zeros(2, 2)}
    honest = random_updates(current, 8, seed=0)
    far = {name: torch.full_like(value, 1e6) for name, value in current.items()}
    rule = rule_named("geometric-median", iterations=300)
    lied = rule([*honest[:5], *(Update(i, far, 1) for i in (5, 6, 7))], current)
    assert all(value.abs().max() < 1.0 for value in lied.values())
    mean = rule_named("fedavg")([*honest[:5], *(Update(i, far, 1) for i in (5, 6, 7))], current)
    assert all(value.abs().min() > 1e5 for value in mean.values())


def test_weights_are_those_of_the_run() -> None:
    updates = [Update(0, {"a": torch.tensor([1.0])}, 10), Update(1, {"a": torch.tensor([3.0])}, 30)]
    heavy = rule_named("geometric-median", config={"weighting": "examples"}, iterations=200)
    assert float(heavy(updates, {"a": torch.zeros(1)})["a"]) == pytest.approx(3.0, abs=1e-4)


def test_phases_have_medians_of_their_own() -> None:
    current = {"full": torch.zeros(2), "lora": torch.zeros(2)}
    updates = [
        Update(i, {"lora" if i == 4 else "full": torch.full((2,), float(i))}, 1) for i in range(5)
    ]
    found = rule_named("geometric-median", iterations=500)(updates, current)
    assert torch.equal(found["lora"], torch.full((2,), 4.0))
    assert 1 <= float(found["full"][0]) <= 2


def test_parts_give_the_bits_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against the formula on all coordinates of all clients at once."""
    current = {"a": torch.linspace(-1, 1, 600).reshape(20, 30), "b": torch.zeros(7)}
    updates = random_updates(current, 24, seed=3)
    points = torch.stack(
        [
            torch.cat([(u.tensors[n].double() - v.double()).flatten() for n, v in current.items()])
            for u in updates
        ]
    )
    weights = torch.ones(24, dtype=torch.float64)
    median = weights @ points / weights.sum()
    for _ in range(4):
        near = weights / (points - median).norm(dim=1).clamp(min=1e-6)
        median = near @ points / near.sum()
    monkeypatch.setattr(changes, "NUMBERS_AT_ONCE", 24 * 50)
    found = rule_named("geometric-median")(updates, current)
    for (name, value), whole in zip(current.items(), median.split([600, 7]), strict=True):
        assert torch.equal(found[name], (value.double() + whole.view(value.shape)).float())
