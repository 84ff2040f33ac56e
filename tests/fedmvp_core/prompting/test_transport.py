"""Transport plans against plain loops in float64, and what holds of every plan."""

import pytest
import torch
from plain_transport import plain_plan
from torch import Tensor

from fedmvp_core.prompting.transport import constant_in_training, transport


def costs(*shape: int) -> Tensor:
    draw = torch.Generator().manual_seed(0)
    return torch.rand(*shape, generator=draw, dtype=torch.float64)


@pytest.mark.parametrize("partial", [False, True])
@pytest.mark.parametrize("epsilon", [0.02, 0.1, 1.0])
def test_a_plan_is_that_of_a_plain_loop(partial: bool, epsilon: float) -> None:
    cost = costs(2, 3, 7, 2)
    rows = torch.full((7,), 1 / 7, dtype=torch.float64)
    columns = torch.tensor([0.5, 0.5], dtype=torch.float64) * (0.8 if partial else 1.0)
    found = transport(cost, rows, columns, epsilon, partial)
    for i in range(2):
        for j in range(3):
            arguments = cost[i, j].tolist(), rows.tolist(), columns.tolist(), epsilon, partial
            expected = torch.tensor(plain_plan(*arguments), dtype=torch.float64)
            torch.testing.assert_close(found[i, j], expected, rtol=0, atol=1e-10)


def test_what_a_plan_moves() -> None:
    cost, rows = costs(4, 9, 3), torch.full((9,), 1 / 9, dtype=torch.float64)
    columns = torch.full((3,), 0.6 / 3, dtype=torch.float64)
    plan = transport(cost, rows, columns, 0.05, partial=True)
    torch.testing.assert_close(plan.sum(dim=-2), columns.expand(4, 3))
    assert (plan.sum(dim=-1) <= rows * 1.01).all()
    assert (plan > 0).all()
    cheap = (plan * cost).sum(dim=(-2, -1)) / plan.sum(dim=(-2, -1))
    assert (cheap < cost.mean(dim=(-2, -1))).all()
    whole = transport(cost, rows, columns / 0.6, 0.05)
    torch.testing.assert_close(whole.sum(dim=-1), rows.expand(4, 9), rtol=0.02, atol=0)


def test_unlike_rows_give_what_they_have() -> None:
    """Rows may differ from problem to problem."""
    rows = costs(4, 9).softmax(dim=-1)
    plan = transport(costs(4, 9, 3), rows, torch.full((3,), 1 / 3, dtype=torch.float64), 0.2)
    torch.testing.assert_close(plan.sum(dim=-1), rows, rtol=0.01, atol=0)


@pytest.mark.parametrize("partial", [False, True])
def test_small_epsilons_stay_within_float32(partial: bool) -> None:
    cost = 1 + costs(3, 20, 2).float()  # exp(-cost / 0.01) is 0 in float32
    rows, columns = torch.full((20,), 0.05), torch.full((2,), 0.5 * (0.8 if partial else 1.0))
    plan = transport(cost, rows, columns, 0.01, partial)
    assert torch.isfinite(plan).all()
    torch.testing.assert_close(plan.sum(dim=-2), columns.expand(3, 2), rtol=1e-4, atol=0)


def test_a_plan_does_not_depend_on_what_else_is_in_the_batch() -> None:
    cost, rows = costs(5, 8, 2).float(), torch.full((8,), 1 / 8)
    columns = torch.full((2,), 0.4)
    whole = transport(cost, rows, columns, 0.03, partial=True)
    for i in range(5):
        alone = transport(cost[i], rows, columns, 0.03, partial=True)
        torch.testing.assert_close(whole[i], alone, rtol=1e-5, atol=0)


def test_only_an_attack_sees_through_a_plan() -> None:
    images = torch.rand(1, 3, 4, 4)
    with constant_in_training(images):
        assert not torch.is_grad_enabled()
    with constant_in_training(images.requires_grad_()):
        assert torch.is_grad_enabled()
    with torch.no_grad(), constant_in_training(images):
        assert not torch.is_grad_enabled()
