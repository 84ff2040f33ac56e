"""CLIP is Strong Enough to Fight Back: Test-time Counterattacks (Xing et al., CVPR 2025).

An adversarial image sits where its embedding hardly moves under small noise. TTC moves it away: a
few signed steps that lengthen the way of the embedding, within a radius. An image whose embedding
moves under noise already is taken for clean and keeps the noise alone.

Published: radius 4/255, 2 steps, threshold 0.2, beta 2. The step size of 1/255 is ours, and
embeddings are unit vectors here. The paper attacks the model without its defence. Attacked through
it, `image + counterattack` has the derivative 1: signs have the derivative 0 almost everywhere, and
the change of the choice between the two is left out.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from fedmvp_core.adversarial.perturbation import uniform_noise
from fedmvp_core.backbone import Backbone
from fedmvp_core.prompting import Features
from fedmvp_core.tasks import EncodedTask

RADIUS, STEP, STEPS = 4 / 255, 1 / 255, 2
THRESHOLD, BETA = 0.2, 2.0


def ttc(
    backbone: Backbone,
    features_of: Callable[[Tensor], Features],
    task: EncodedTask,
    draws: torch.Generator,
) -> Callable[[Tensor], Features]:
    """Images (batch, 3, h, w) in [0, 1] to the features of the same images, counterattacked."""

    def seen(images: Tensor) -> Tensor:
        return features_of(images).image_features

    def defended(images: Tensor) -> Features:
        return features_of(images + counterattack(seen, images.detach(), draws))

    return defended


def counterattack(
    seen: Callable[[Tensor], Tensor], images: Tensor, draws: torch.Generator
) -> Tensor:
    """What is added to images, within RADIUS and so that they stay in [0, 1]; no graph.

    seen: images to unit embeddings (batch, d). images: (batch, 3, h, w), in [0, 1].
    """
    noise = _inside(images, RADIUS * uniform_noise(images, draws))
    with torch.no_grad():
        before = seen(images)
        moves = (seen(images + noise) - before).norm(dim=-1) / before.norm(dim=-1)
    steps = [noise]
    for _ in range(STEPS):
        ascent = _gradient(seen, images, steps[-1], before).sign()
        steps.append(_inside(images, (steps[-1] + STEP * ascent).clamp(-RADIUS, RADIUS)))
    weights = torch.softmax(BETA * torch.arange(STEPS + 1.0), dim=0)  # later steps weigh more
    countered = sum(weight * step for weight, step in zip(weights.tolist(), steps, strict=True))
    return torch.where((moves > THRESHOLD)[:, None, None, None], noise, countered)


def _gradient(
    seen: Callable[[Tensor], Tensor], images: Tensor, change: Tensor, before: Tensor
) -> Tensor:
    """Of the distance of each embedding from what it was, to the change."""
    with torch.enable_grad():
        change = change.detach().requires_grad_()
        distance = (seen(images + change) - before).norm(dim=-1).sum()
        return torch.autograd.grad(distance, change)[0]


def _inside(images: Tensor, change: Tensor) -> Tensor:
    return (images + change).clamp(0, 1) - images
