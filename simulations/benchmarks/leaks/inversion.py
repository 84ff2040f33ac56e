"""Pictures from an update: those whose own update points the same way.

Geiping et al., Inverting Gradients: How easy is it to break privacy in federated learning?
(NeurIPS 2020), section 4: cosine distance of the updates and total variation of the pictures, by
signed Adam. The attacker knows the labels, what was received, and how many pictures there were.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

UpdateOf = Callable[[Tensor], Sequence[Tensor]]


def invert(
    update_of: UpdateOf,
    observed: Sequence[Tensor],
    shape: Sequence[int],
    draw: torch.Generator,
    steps: int = 200,
    rate: float = 0.05,
    smoothness: float = 1e-3,
) -> Tensor:
    """Pictures in [0, 1] of this shape, (count, 3, height, width), that explain an update.

    update_of: the update that pictures would give, with its graph. observed: the one that was
    received. smoothness: of total variation beside the cosine distance.
    """
    pictures = torch.rand(*shape, generator=draw).requires_grad_()
    optimizer = torch.optim.Adam([pictures], lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    best, least = pictures.detach().clone(), float("inf")
    for _ in range(steps):
        distance = cosine_distance(update_of(pictures), observed)
        loss = distance + smoothness * total_variation(pictures)
        if float(loss.detach()) < least:
            best, least = pictures.detach().clone(), float(loss.detach())
        (gradient,) = torch.autograd.grad(loss, pictures)
        pictures.grad = gradient.sign()
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            pictures.clamp_(0, 1)
    return best


def cosine_distance(update: Sequence[Tensor], observed: Sequence[Tensor]) -> Tensor:
    """1 - the cosine between two updates, over all tensors together: a scalar in [0, 2]."""
    own, other = (torch.cat([part.flatten() for part in whole]) for whole in (update, observed))
    return 1 - torch.nn.functional.cosine_similarity(own, other.to(own.dtype), dim=0)


def total_variation(pictures: Tensor) -> Tensor:
    """Mean difference between neighbouring pixels: a scalar."""
    down, across = pictures.diff(dim=-2).abs(), pictures.diff(dim=-1).abs()
    return down.mean() + across.mean()
