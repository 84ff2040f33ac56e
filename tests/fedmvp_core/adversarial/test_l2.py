"""PGD in a Euclidean ball, against what is known of linear models and against torchattacks."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from fedmvp_core.adversarial.l2 import of_length_one, pgd_l2, shortened
from fedmvp_core.adversarial.worst_case import broken


def lengths(changes: torch.Tensor) -> torch.Tensor:
    return changes.flatten(1).norm(dim=1)


def test_a_linear_model_is_broken_where_its_plane_is_in_reach(draws: torch.Generator) -> None:
    """The distance to the plane of two classes is known; far from 0 and 1 nothing is in the way."""
    weight = torch.randn(48, 2, generator=draws)
    slope = weight[:, 0] - weight[:, 1]
    images = 0.5 + 0.02 * torch.randn(40, 3, 4, 4, generator=draws)
    images[:20] -= 0.02 * (slope / slope.norm()).view(3, 4, 4)
    scores = (images.flatten(1) - 0.5) @ slope
    labels = (scores < 0).long()
    distance = scores.abs() / slope.norm()
    epsilon = distance.median().item()

    def logits_of(x: torch.Tensor) -> torch.Tensor:
        return (x.flatten(1) - 0.5) @ weight

    found = pgd_l2(logits_of, images, labels, epsilon, 40, draws)
    wrong = broken(logits_of(found), labels)
    assert wrong[distance < 0.98 * epsilon].all()
    assert not wrong[distance > epsilon].any()
    assert lengths(found - images).max() <= epsilon * (1 + 1e-5)


def test_lengths() -> None:
    changes = torch.tensor([3.0, 4.0, 0.0]).view(1, 3, 1, 1)
    assert of_length_one(changes).flatten().tolist() == pytest.approx([0.6, 0.8, 0])
    assert of_length_one(0 * changes).abs().sum() == 0
    assert torch.equal(shortened(changes, 6.0), changes)
    assert shortened(changes, 1.0).flatten().tolist() == pytest.approx([0.6, 0.8, 0])


def test_more_reach_does_more_harm(problem: Callable[..., Any], draws: torch.Generator) -> None:
    case = problem(4)
    margins = []
    for epsilon in (0.05, 0.2, 0.8):
        found = pgd_l2(case.model, case.images, case.labels, epsilon, 20, draws)
        assert lengths(found - case.images).max() <= epsilon * (1 + 1e-5)
        margins.append(broken(case.model(found), case.labels).float().mean().item())
    assert margins == sorted(margins)
    assert margins[-1] > margins[0]
