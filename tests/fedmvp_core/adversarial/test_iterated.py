"""The PGD family of evaluation: nothing found is lost, nothing broken is attacked again."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from fedmvp_core.adversarial.iterated import default_step_size, fgsm, mi_fgsm, pgd_restarts
from fedmvp_core.adversarial.losses import margin
from fedmvp_core.adversarial.worst_case import broken
from fedmvp_core.errors import AttackError

EPSILON = 0.01


def right_after(case: Any, images: torch.Tensor) -> torch.Tensor:
    return ~broken(case.model(images), case.labels)


def test_fgsm_is_one_signed_step(problem: Callable[..., Any]) -> None:
    case = problem(4)
    images = case.images.clone().requires_grad_()
    loss = torch.nn.functional.cross_entropy(case.model(images), case.labels)
    (gradient,) = torch.autograd.grad(loss, images)
    expected = (case.images + EPSILON * gradient.sign()).clamp(0, 1)
    found = fgsm(case.model, case.images, case.labels, EPSILON)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


def test_momentum_is_that_of_the_paper(problem: Callable[..., Any]) -> None:
    case = problem(4, count=3)
    at, velocity, steps = case.images, torch.zeros(()), 3
    for _ in range(steps):
        images = at.clone().requires_grad_()
        loss = torch.nn.functional.cross_entropy(case.model(images), case.labels, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, images)
        velocity = velocity + gradient / gradient.abs().sum(dim=(1, 2, 3), keepdim=True)
        at = (at + EPSILON / steps * velocity.sign()).clamp(0, 1)
    found = mi_fgsm(case.model, case.images, case.labels, EPSILON, steps)
    torch.testing.assert_close(found, at, atol=1e-6, rtol=0)


@pytest.mark.parametrize("loss", ["ce", "margin", "kl", "dlr"])
def test_a_restart_never_mends(problem: Callable[..., Any], loss: str) -> None:
    case = problem(4, count=60)
    left, margins = [], []
    for restarts in (1, 2, 4):
        found = pgd_restarts(
            case.model, case.images, case.labels, EPSILON, 0.0025, 12, restarts, loss,
            generator=torch.Generator().manual_seed(0),
        )  # fmt: skip
        right = right_after(case, found)
        left.append(right)
        margins.append(margin(case.model(found), case.labels)[right])
    assert 0 < left[0].sum() < 60
    assert not (left[1] & ~left[0]).any()
    assert not (left[2] & ~left[1]).any()


def test_what_a_step_broke_stays_broken() -> None:
    # The loss pulls away from the only broken place, a thin shell that the first step crosses.
    def model(images: torch.Tensor) -> torch.Tensor:
        level = images.mean(dim=(1, 2, 3))
        in_shell = ((level > 0.505) & (level < 0.515)).to(level)
        return torch.stack([1 - level - 5 * in_shell, level - 1], dim=1)

    images, labels = torch.full((1, 3, 4, 4), 0.5), torch.tensor([0])
    found = pgd_restarts(model, images, labels, 0.05, 0.01, 5, random_start=False)
    assert broken(model(found), labels).all()
    assert found.mean().item() == pytest.approx(0.51)


def test_costs_a_pass_a_step_and_two_more_and_spares_the_broken(
    problem: Callable[..., Any],
) -> None:
    case = problem(4, count=30)
    pgd_restarts(case.model, case.images, case.labels, 0.0001, 0.0001, 9)
    assert case.model.forwards == 1 + 9 + 1
    case.model.images_seen = 0
    pgd_restarts(case.model, case.images, case.labels, 0.5, 0.1, 40)
    assert case.model.images_seen <= 30 * (1 + 11)
    case.model.images_seen = 0
    pgd_restarts(case.model, case.images, (case.labels + 1) % 4, 0.5, 0.1, 40)
    assert case.model.images_seen == 30


@pytest.mark.parametrize(
    "extra",
    [
        {"restarts": 0},
        {"restarts": 2, "random_start": False},
        {"loss": "kl", "random_start": False},
        {"loss": "dlr-targeted"},
    ],
)
def test_impossible_combinations_are_refused(
    problem: Callable[..., Any], extra: dict[str, Any]
) -> None:
    case = problem(4)
    with pytest.raises(AttackError, match="allowed: "):
        pgd_restarts(case.model, case.images, case.labels, 0.01, 0.01, 2, **extra)


def test_the_step_size_reaches_across_the_ball() -> None:
    assert default_step_size(0.04, 100) == default_step_size(0.04, 10) == pytest.approx(0.01)
    assert default_step_size(0.04, 5) == pytest.approx(0.02)
    assert default_step_size(0.04, 1) == pytest.approx(0.04)
