"""PGD of training: against a plain one, inside its bounds, and without side effects."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from fedmvp_core.adversarial.losses import LOSSES
from fedmvp_core.adversarial.pgd import pgd
from fedmvp_core.errors import AttackError

KINDS = ["ce", "kl", "margin"]


def plain_pgd(
    model: Callable[[Tensor], Tensor],
    images: Tensor,
    labels: Tensor,
    epsilon: float,
    step_size: float,
    steps: int,
    seed: int,
) -> Tensor:
    """Cross-entropy PGD as a textbook has it: a perturbation, .backward(), two clamps."""
    draw = torch.Generator().manual_seed(seed)
    noise = torch.rand(images.shape, generator=draw) * 2 - 1
    delta = (images + epsilon * noise).clamp(0, 1) - images
    for _ in range(steps):
        delta = delta.detach().requires_grad_()
        F.cross_entropy(model(images + delta), labels).backward()
        assert delta.grad is not None
        moved = (delta.detach() + step_size * delta.grad.sign()).clamp(-epsilon, epsilon)
        delta = (images + moved).clamp(0, 1) - images
    return (images + delta).detach()


def test_equals_a_plain_one(problem: Callable[..., Any]) -> None:
    case = problem(5)
    expected = plain_pgd(case.model, case.images, case.labels, 0.03, 0.01, 7, seed=3)
    generator = torch.Generator().manual_seed(3)
    found = pgd(case.model, case.images, case.labels, 0.03, 0.01, 7, generator=generator)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**31),
    epsilon=st.floats(0, 1, width=32),
    step_size=st.floats(1e-4, 2),
    loss=st.sampled_from(KINDS),
    multi_label=st.booleans(),
    contrast=st.floats(0, 3),
)
def test_stays_in_the_ball_and_in_range(
    seed: int, epsilon: float, step_size: float, loss: str, multi_label: bool, contrast: float
) -> None:
    draw = torch.Generator().manual_seed(seed)
    # Many pixels are exactly black or white at high contrast.
    images = ((torch.rand(3, 3, 5, 4, generator=draw) - 0.5) * contrast + 0.5).clamp(0, 1)
    weight = torch.randn(60, 4, generator=draw)
    shape = (3, 4) if multi_label else (3,)
    labels = torch.randint(0, 2, shape, generator=draw)
    found = pgd(lambda x: x.flatten(1) @ weight, images, labels, epsilon, step_size, 3, loss=loss)
    assert found.shape == images.shape
    assert found.dtype == images.dtype
    assert not found.requires_grad
    assert (found - images).abs().max() <= epsilon + 1e-6
    assert found.min() >= 0
    assert found.max() <= 1


@pytest.mark.parametrize("loss", KINDS)
@pytest.mark.parametrize("multi_label", [False, True])
def test_more_steps_never_lower_the_loss(
    problem: Callable[..., Any], loss: str, multi_label: bool
) -> None:
    case = problem(4, multi_label)
    clean = case.model(case.images).detach()
    values = []
    for steps in (1, 4, 16, 64):
        generator = torch.Generator().manual_seed(0)
        found = pgd(
            case.model, case.images, case.labels, 0.05, 0.0125, steps, loss=loss,
            generator=generator,
        )  # fmt: skip
        values.append(float(LOSSES[loss](case.model(found), case.labels, clean).mean().detach()))
    scale = max(abs(value) for value in values)
    assert all(later >= earlier - 0.01 * scale for earlier, later in pairwise(values))
    assert values[-1] > values[0]


def test_the_kl_targets_are_clean_logits(problem: Callable[..., Any]) -> None:
    case = problem(4)
    arguments = (case.model, case.images, case.labels, 0.03, 0.01, 3)
    clean = case.model(case.images)
    implicit = pgd(*arguments, loss="kl")
    assert torch.equal(implicit, pgd(*arguments, loss="kl", targets=clean))
    assert not torch.equal(implicit, pgd(*arguments, loss="kl", targets=-clean))


@pytest.mark.parametrize(("loss", "forwards"), [("ce", 5), ("margin", 5), ("kl", 6)])
def test_costs_one_forward_pass_a_step(
    problem: Callable[..., Any], loss: str, forwards: int
) -> None:
    case = problem(4)
    pgd(case.model, case.images, case.labels, 0.03, 0.01, 5, loss=loss)
    assert case.model.forwards == forwards


def test_leaves_nothing_behind(problem: Callable[..., Any]) -> None:
    case = problem(4)
    images, before = case.images.clone(), torch.get_rng_state()
    first = pgd(case.model, images, case.labels, 0.03, 0.01, 3)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, pgd(case.model, images, case.labels, 0.03, 0.01, 3))
    assert torch.equal(images, case.images)
    assert all(weight.grad is None for weight in case.model.parameters())
    torch.manual_seed(5)
    assert not torch.equal(first, pgd(case.model, images, case.labels, 0.03, 0.01, 3))


def test_without_random_start_it_begins_at_the_images(problem: Callable[..., Any]) -> None:
    case = problem(4)
    found = pgd(case.model, case.images, case.labels, 0.5, 0.01, 1, random_start=False)
    assert (found - case.images).abs().max() <= 0.01 + 1e-6


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"loss": "l2"}, "loss is 'l2'; allowed: ce, kl, margin"),
        ({"targets": torch.zeros(12, 4)}, "targets are for loss 'kl', not 'ce'"),
        ({"loss": "kl", "targets": torch.zeros(3, 4)}, r"targets have shape \(3, 4\)"),
        ({"loss": "kl", "random_start": False}, "begins at its minimum"),
    ],
)
def test_wrong_losses_are_refused(
    problem: Callable[..., Any], extra: dict[str, Any], words: str
) -> None:
    case = problem(4)
    with pytest.raises(AttackError, match=words):
        pgd(case.model, case.images, case.labels, 0.03, 0.01, 3, **extra)


@pytest.mark.parametrize("step_size", [0.0, -0.1, float("nan"), float("inf")])
def test_wrong_step_sizes_are_refused(problem: Callable[..., Any], step_size: float) -> None:
    case = problem(4)
    with pytest.raises(AttackError, match="step size is"):
        pgd(case.model, case.images, case.labels, 0.03, step_size, 3)
