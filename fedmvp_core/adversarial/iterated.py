"""Attacks of evaluation that take many signed gradient steps of one size: the PGD family.

All of them keep the worst version of each image that any step of any restart found, and spend
nothing on single-label images that are wrong already.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from fedmvp_core.adversarial.inputs import LogitsFunction, check_inputs, checked_logits
from fedmvp_core.adversarial.losses import Loss, loss_named
from fedmvp_core.adversarial.perturbation import (
    all_finite,
    ball,
    input_gradient,
    own_generator,
    refuse_non_finite,
    uniform_noise,
    warn_of_vanished,
)
from fedmvp_core.adversarial.worst_case import WorstCase, clean_start, see_last
from fedmvp_core.errors import AttackError

LOSSES = ("ce", "kl", "margin", "dlr")

# After so many steps the broken images are dropped from the batch; asking waits for a GPU.
STEPS_BETWEEN_LOOKS = 10


def default_step_size(epsilon: float, steps: int) -> float:
    """epsilon / 4 (APT with PGD-100), and 2.5 epsilon / steps, at most epsilon, under 10 steps.

    So that few steps still reach the ball's far side (Madry et al., appendix).
    """
    return epsilon * max(0.25, min(1.0, 2.5 / steps))


def fgsm(logits_fn: LogitsFunction, images: Tensor, labels: Tensor, epsilon: float) -> Tensor:
    """Fast gradient sign method (Goodfellow et al., ICLR 2015): one step of epsilon on "ce".

    Raises:
        AttackError: see `pgd_restarts`.
    """
    return pgd_restarts(logits_fn, images, labels, epsilon, epsilon, 1, random_start=False)


def mi_fgsm(
    logits_fn: LogitsFunction, images: Tensor, labels: Tensor, epsilon: float, steps: int
) -> Tensor:
    """Momentum iterative FGSM (Dong et al., CVPR 2018): decay 1, steps of epsilon / steps.

    Raises:
        AttackError: see `pgd_restarts`.
    """
    check_inputs(images, labels, epsilon, steps)
    size = epsilon / steps
    return pgd_restarts(
        logits_fn, images, labels, epsilon, size, steps, momentum=1.0, random_start=False
    )


def pgd_restarts(
    logits_fn: LogitsFunction,
    images: Tensor,
    labels: Tensor,
    epsilon: float,
    step_size: float,
    steps: int,
    restarts: int = 1,
    loss: str = "ce",
    momentum: float = 0.0,
    random_start: bool = True,
    generator: torch.Generator | None = None,
) -> Tensor:
    """PGD from several starts: the worst version of each image over all steps and restarts.

    A restart costs `steps` forward and backward passes and a forward pass over the images that are
    still right; one clean forward pass comes first.

    Args:
        logits_fn, images, labels, epsilon, step_size, steps, generator: as for `pgd`.
        restarts: 1 or more, each from a start of its own.
        loss: "ce", "margin" (Carlini & Wagner's objective), "kl" (to the clean prediction: TPGD) or
            "dlr".
        momentum: how much of the summed, L1-normalised gradients is kept (MI-FGSM: 1).
        random_start: uniform in the ball, or from the images themselves.

    Returns:
        (batch, 3, h, w), detached, within epsilon of images and in [0, 1].

    Raises:
        AttackError: arguments out of range, or NaN inside the attack.
    """
    check_inputs(images, labels, epsilon, steps, step_size)
    loss_of = loss_named(loss, LOSSES)
    if restarts < 1 or (not random_start and (restarts > 1 or loss == "kl")):
        raise AttackError(
            f"restarts is {restarts} with random start {random_start} and loss '{loss}'; "
            "allowed: 1 or more, and exactly 1 without random start, where 'kl' cannot begin"
        )
    logits_of = checked_logits(logits_fn, labels)
    worst, clean_logits = clean_start(logits_of, images, labels, "pgd")
    draws = own_generator(generator)
    lower, upper = ball(images, epsilon)
    for _ in range(restarts):
        start = images.detach().clamp(0, 1)
        if random_start:
            # For all images, so that one's draw does not depend on the fate of the others.
            start = torch.clamp(start + epsilon * uniform_noise(images, draws), lower, upper)
        rows = worst.unfinished()
        if not len(rows):
            break
        velocity = torch.zeros_like(images)
        whole = (start, lower, upper, labels, clean_logits, velocity)
        state = _Climb(rows, *(part[rows] for part in whole))
        _climb(logits_of, loss_of, worst, state, step_size, steps, momentum)
    return worst.images


@dataclass
class _Climb:
    """One restart on its way: k images, and where they belong in the batch.

    rows: (k,). adversarial, lower, upper, velocity: (k, 3, h, w). labels: (k,) or (k, classes).
    clean_logits: (k, classes).
    """

    rows: Tensor
    adversarial: Tensor
    lower: Tensor
    upper: Tensor
    labels: Tensor
    clean_logits: Tensor
    velocity: Tensor

    def keep(self, kept: Tensor) -> None:
        """Drop the images that are not `kept`: (k,) bool."""
        for name, value in vars(self).items():
            setattr(self, name, value[kept])


def _climb(
    logits_of: LogitsFunction,
    loss_of: Loss,
    worst: WorstCase,
    state: _Climb,
    step_size: float,
    steps: int,
    momentum: float,
) -> None:
    """Take the steps of one restart; `worst` sees every iterate."""
    finite = torch.ones((), dtype=torch.bool, device=state.rows.device)
    for step in range(steps):
        if step and step % STEPS_BETWEEN_LOOKS == 0:
            kept = torch.isin(state.rows, worst.unfinished())
            if not kept.any():
                refuse_non_finite(finite, "pgd")
                return
            state.keep(kept)
        gradient, values, logits = input_gradient(
            logits_of, loss_of, state.adversarial, state.labels, state.clean_logits
        )
        if step == 0:
            warn_of_vanished(gradient, "pgd")
        finite &= all_finite(gradient, values, logits)
        worst.see(state.rows, state.adversarial, logits)
        if momentum:
            scale = gradient.abs().mean(dim=(1, 2, 3), keepdim=True)
            gradient = gradient / scale.clamp(min=torch.finfo(scale.dtype).tiny)
            state.velocity = gradient = momentum * state.velocity + gradient
        moved = state.adversarial + step_size * gradient.sign()
        state.adversarial = torch.clamp(moved, state.lower, state.upper)
    refuse_non_finite(finite, "pgd")
    see_last(logits_of, worst, state.rows, state.adversarial, "pgd")
