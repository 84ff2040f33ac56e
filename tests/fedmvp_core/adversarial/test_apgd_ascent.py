"""Auto-PGD's climb, step by step."""

import torch
from torch import Tensor

from fedmvp_core.adversarial.apgd_ascent import State, ascend, checkpoints
from fedmvp_core.adversarial.losses import LOSSES
from fedmvp_core.adversarial.worst_case import WorstCase

EPSILON = 0.1


def test_checkpoints_are_those_of_the_paper() -> None:
    assert checkpoints(100) == [22, 41, 57, 70, 80, 87, 93, 99]
    assert checkpoints(1) == [1]
    assert all(0 < step <= 7 for step in checkpoints(7))


def climb(level: float, peak: float, steps: int) -> tuple[WorstCase, list[float]]:
    """Climb a ridge whose height falls off with the distance of each pixel from `peak`."""
    visited = []

    def model(images: Tensor) -> Tensor:
        visited.append(float(images.detach().mean()))
        height = -((images - peak) ** 2).mean(dim=(1, 2, 3))
        return torch.stack([1 - height, height], dim=1)

    images, labels = torch.full((1, 3, 2, 2), level), torch.tensor([0])
    with torch.no_grad():
        worst = WorstCase.at(images, labels, model(images))
    visited.clear()
    bounds = images - EPSILON, images + EPSILON
    state = State.begin(EPSILON, torch.tensor([0]), images, *bounds, labels, labels)
    ascend(model, LOSSES["ce"], worst, state, steps, "apgd-ce")
    return worst, visited


def test_the_first_steps_are_those_of_algorithm_1() -> None:
    _, visited = climb(level=0.5, peak=0.9, steps=3)
    # Twice epsilon, cut at the ball; then there is nowhere to go.
    torch.testing.assert_close(torch.tensor(visited), torch.tensor([0.5, 0.6, 0.6, 0.6]))


def test_steps_shrink_until_the_peak_is_found() -> None:
    worst, visited = climb(level=0.5, peak=0.53, steps=60)
    assert abs(visited[1] - 0.6) < 1e-6  # overshoots at first
    assert abs(visited[-1] - 0.53) < 0.01
    assert abs(float(worst.images.mean()) - 0.53) < 0.003
