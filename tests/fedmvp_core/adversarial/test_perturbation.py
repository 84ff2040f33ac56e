"""The pieces of gradient attacks."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
import torch

from fedmvp_core.adversarial.losses import LOSSES
from fedmvp_core.adversarial.perturbation import (
    all_finite,
    ball,
    input_gradient,
    own_generator,
    refuse_non_finite,
    uniform_noise,
    warn_of_vanished,
)
from fedmvp_core.errors import AttackError


@pytest.mark.parametrize("loss", ["ce", "margin", "dlr", "kl"])
@pytest.mark.parametrize("multi_label", [False, True])
def test_the_gradient_is_that_of_finite_differences(
    problem: Callable[..., Any], loss: str, multi_label: bool
) -> None:
    case = problem(4, multi_label)
    model, images = case.model.double(), case.images[:2].double()
    labels = case.labels[:2]
    clean = model(images).detach() + 1

    def value(at: torch.Tensor) -> float:
        return float(LOSSES[loss](model(at), labels, clean).sum().detach())

    gradient, values, logits = input_gradient(model, LOSSES[loss], images, labels, clean)
    assert values.sum().item() == pytest.approx(value(images))
    assert torch.equal(logits, model(images))
    for place in ((0, 0, 1, 2), (1, 2, 7, 0)):
        shift = torch.zeros_like(images)
        shift[place] = 1e-6
        slope = (value(images + shift) - value(images - shift)) / 2e-6
        assert gradient[place].item() == pytest.approx(slope, rel=1e-3, abs=1e-6)


def test_the_gradient_leaves_parameters_alone_and_works_under_no_grad(
    problem: Callable[..., Any],
) -> None:
    case = problem(3)
    with torch.no_grad():
        input_gradient(case.model, LOSSES["ce"], case.images, case.labels, case.labels)
    assert all(weight.requires_grad for weight in case.model.parameters())
    assert all(weight.grad is None for weight in case.model.parameters())


def test_a_model_without_gradient_is_named(problem: Callable[..., Any]) -> None:
    case = problem(3)
    arguments = (LOSSES["ce"], case.images, case.labels, case.labels)
    with pytest.raises(AttackError, match="detaches them"):
        input_gradient(lambda images: case.model(images).detach(), *arguments)
    constant = torch.zeros(12, 3, requires_grad=True)
    with pytest.raises(AttackError, match="do not depend on the images"):
        input_gradient(lambda images: constant * 1, *arguments)


def test_the_ball_is_cut_at_black_and_white() -> None:
    lower, upper = ball(torch.tensor([0.0, 0.5, 0.95, 1 + 1e-7]), 0.1)
    torch.testing.assert_close(lower, torch.tensor([0, 0.4, 0.85, 0.9]))
    torch.testing.assert_close(upper, torch.tensor([0.1, 0.6, 1, 1]))
    assert upper.max() == 1


def test_without_a_generator_the_global_one_is_copied() -> None:
    images = torch.zeros(2, 3, 4, 4)
    before = torch.get_rng_state()
    noise = uniform_noise(images, own_generator(None))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(noise, torch.rand(images.shape) * 2 - 1)
    assert -1 <= noise.min() < -0.8 < 0.8 < noise.max() <= 1


def test_nan_is_noticed() -> None:
    fine = torch.ones(3)
    assert bool(all_finite(fine, fine))
    for bad in (float("nan"), float("inf")):
        with pytest.raises(AttackError, match=r"pgd: .*NaN or infinite"):
            refuse_non_finite(all_finite(fine, torch.tensor([0.0, bad])), "pgd")


def test_images_without_a_gradient_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    gradient = torch.ones(3, 3, 2, 2)
    with caplog.at_level(logging.WARNING):
        warn_of_vanished(gradient, "pgd")
    assert not caplog.records
    gradient[1] = 0
    warn_of_vanished(gradient, "pgd")
    assert "pgd: 1 of 3 images have a gradient of 0" in caplog.text
