"""Projected gradient descent in a ball of the Euclidean norm (Madry et al., ICLR 2018)."""

import torch
from torch import Tensor

from fedmvp_core.adversarial.inputs import LogitsFunction, check_inputs, checked_logits
from fedmvp_core.adversarial.iterated import default_step_size
from fedmvp_core.adversarial.losses import loss_named
from fedmvp_core.adversarial.perturbation import (
    all_finite,
    input_gradient,
    own_generator,
    refuse_non_finite,
    uniform_noise,
    warn_of_vanished,
)
from fedmvp_core.adversarial.worst_case import clean_start, see_last

NAME = "pgd-l2"


def pgd_l2(
    logits_fn: LogitsFunction,
    images: Tensor,
    labels: Tensor,
    epsilon: float,
    steps: int,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Steps along the gradient of the cross-entropy, each of one length, from a random start.

    Costs a clean forward pass, `steps` forward and backward passes and one forward pass more, over
    images that are right without an attack.

    epsilon: the largest Euclidean length of an image's change, all pixels and channels together.

    Returns:
        (batch, 3, h, w), detached, in [0, 1]: the worst version of each image that any step found.

    Raises:
        AttackError: arguments out of range (see `check_inputs`), or NaN inside the attack.
    """
    check_inputs(images, labels, epsilon, steps)
    logits_of = checked_logits(logits_fn, labels)
    worst, _ = clean_start(logits_of, images, labels, NAME)
    draws = own_generator(generator)
    # For all images, so that one's draw does not depend on the fate of the others.
    lengths = torch.rand((len(images), 1, 1, 1), generator=draws).to(images)
    start = epsilon * lengths * of_length_one(uniform_noise(images, draws))
    rows = worst.unfinished()
    if not len(rows):
        return worst.images
    clean = images.detach().clamp(0, 1)[rows]
    adversarial, aimed_at = (clean + start[rows]).clamp(0, 1), labels[rows]
    loss_of, size = loss_named("ce", ("ce",)), default_step_size(epsilon, steps)
    finite = torch.ones((), dtype=torch.bool, device=images.device)
    for step in range(steps):
        gradient, values, logits = input_gradient(
            logits_of, loss_of, adversarial, aimed_at, aimed_at
        )
        if step == 0:
            warn_of_vanished(gradient, NAME)
        finite &= all_finite(gradient, values, logits)
        worst.see(rows, adversarial, logits)
        moved = adversarial + size * of_length_one(gradient) - clean
        adversarial = (clean + shortened(moved, epsilon)).clamp(0, 1)
    refuse_non_finite(finite, NAME)
    see_last(logits_of, worst, rows, adversarial, NAME)
    return worst.images


def of_length_one(changes: Tensor) -> Tensor:
    """(batch, 3, h, w), each divided by its Euclidean length; one of zeros stays."""
    return changes / _lengths(changes).clamp(min=torch.finfo(changes.dtype).tiny)


def shortened(changes: Tensor, epsilon: float) -> Tensor:
    """(batch, 3, h, w), those longer than epsilon made as long as that."""
    return changes * (epsilon / _lengths(changes).clamp(min=epsilon))


def _lengths(changes: Tensor) -> Tensor:
    return torch.linalg.vector_norm(changes, dim=(1, 2, 3), keepdim=True)
