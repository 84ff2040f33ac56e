"""Where an update tells everything, the picture comes back; where it tells nothing, it does not."""

from functools import partial

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from fedmvp_core.prompting import FULL
from simulations.benchmarks.leaks.federation import open_federation
from simulations.benchmarks.leaks.inversion import cosine_distance, invert, total_variation
from simulations.benchmarks.leaks.quality import psnr


def gradient_of_a_linear_model(pictures: Tensor, weights: Tensor, labels: Tensor) -> list[Tensor]:
    """Of softmax regression on pixels: its rows are the picture, times a number a class."""
    logits = pictures.flatten(1) @ weights.T
    return list(torch.autograd.grad(F.cross_entropy(logits, labels), weights, create_graph=True))


def test_the_picture_of_a_linear_model_comes_back() -> None:
    draw = torch.Generator().manual_seed(3)
    picture = torch.rand(1, 3, 8, 8, generator=draw)
    weights = (0.01 * torch.randn(4, 192, generator=draw)).requires_grad_()
    labels = torch.tensor([2])
    update_of = partial(gradient_of_a_linear_model, weights=weights, labels=labels)
    seen = [part.detach() for part in update_of(picture)]
    found = invert(update_of, seen, picture.shape, draw, steps=400, rate=0.02, smoothness=0)
    # The cosine knows the picture up to its brightness.
    scaled = found * (picture * found).sum() / found.square().sum()
    assert psnr(picture[0], scaled[0]) > 30
    blind = [torch.randn(part.shape, generator=draw) for part in seen]
    other = invert(update_of, blind, picture.shape, draw, steps=400, rate=0.02, smoothness=0)
    assert psnr(picture[0], other[0]) < 15


def test_distance_and_variation() -> None:
    one = [torch.ones(2), torch.zeros(1)]
    assert cosine_distance(one, [3 * part for part in one]) == pytest.approx(0, abs=1e-6)
    assert cosine_distance(one, [-part for part in one]) == pytest.approx(2)
    assert total_variation(torch.ones(1, 3, 4, 4)) == 0


def test_an_update_of_prompts_is_explained_better_and_better() -> None:
    federation = open_federation("promptfl", FULL, 1)
    everything = federation.shard(torch.ones(len(federation.pool), dtype=torch.bool))
    picture, labels = everything.images[:1].float() / 255, everything.labels[:1]
    update_of = partial(federation.gradient, labels=labels, shard=everything)
    seen = [part.detach() for part in update_of(picture)]
    assert sum(float(part.square().sum()) for part in seen) > 0
    start = torch.Generator().manual_seed(0)
    noise = torch.rand(picture.shape, generator=torch.Generator().manual_seed(0))
    found = invert(update_of, seen, picture.shape, start, steps=10)
    assert cosine_distance(update_of(found), seen) < cosine_distance(update_of(noise), seen)
