"""Projected gradient descent (Madry et al., ICLR 2018), L-infinity: the attack of training."""

import torch
from torch import Tensor

from fedmvp_core.adversarial import losses
from fedmvp_core.adversarial.inputs import LogitsFunction, check_inputs, checked_logits
from fedmvp_core.adversarial.perturbation import (
    all_finite,
    ball,
    input_gradient,
    own_generator,
    refuse_non_finite,
    uniform_noise,
)
from fedmvp_core.errors import AttackError

LOSSES = ("ce", "kl", "margin")


def pgd(
    logits_fn: LogitsFunction,
    images: Tensor,
    labels: Tensor,
    epsilon: float,
    step_size: float,
    steps: int,
    random_start: bool = True,
    loss: str = "ce",
    targets: Tensor | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Climb `loss` by signed gradient steps inside the epsilon ball; the last iterate is returned.

    `steps` forward and backward passes (and one forward more for "kl" without targets). Gradients
    go to the images alone; put the model into `attack_mode` mode to spare it the bookkeeping.

    Args:
        logits_fn: images (batch, 3, h, w) in [0, 1] -> logits (batch, classes).
        images: (batch, 3, h, w), float32 or float64 in [0, 1].
        labels: (batch,) int64, or (batch, classes) of 1, 0 and -1 (unknown) for a multi-label
            problem.
        epsilon: the largest change of a pixel. step_size: the change in one step.
        random_start: from a uniform draw in the ball instead of from the images.
        loss: "ce", "kl" (KL(p_clean || p), as TRADES does) or "margin"; see `losses`.
        targets: for "kl" only: clean *logits* (batch, classes); None: logits_fn(images).
        generator: a CPU generator; None: a copy of the global one, which stays as it was.

    Returns:
        (batch, 3, h, w), detached, within epsilon of images (to float rounding) and in [0, 1].

    Raises:
        AttackError: arguments out of range (see `check_inputs`), targets without "kl" or of another
            shape, or NaN inside the attack.
    """
    check_inputs(images, labels, epsilon, steps, step_size)
    logits_of = checked_logits(logits_fn, labels)
    loss_of = losses.loss_named(loss, LOSSES)
    reference = _reference(loss, logits_of, images, labels, targets, random_start)
    lower, upper = ball(images, epsilon)
    adversarial = images.detach()
    if random_start:
        noise = uniform_noise(images, own_generator(generator))
        adversarial = torch.clamp(adversarial + epsilon * noise, lower, upper)
    finite = torch.ones((), dtype=torch.bool, device=images.device)
    for _ in range(steps):
        gradient, values, _ = input_gradient(logits_of, loss_of, adversarial, labels, reference)
        finite &= all_finite(gradient, values)
        adversarial = torch.clamp(adversarial + step_size * gradient.sign(), lower, upper)
    refuse_non_finite(finite, "pgd")
    return adversarial


def _reference(
    loss: str,
    logits_of: LogitsFunction,
    images: Tensor,
    labels: Tensor,
    targets: Tensor | None,
    random_start: bool,
) -> Tensor:
    """What the loss looks at beside logits and labels: clean logits for "kl", else nothing."""
    if loss != "kl":
        if targets is not None:
            raise AttackError(f"targets are for loss 'kl', not '{loss}'")
        return labels
    if targets is None:
        if not random_start:
            raise AttackError(
                "loss 'kl' without random start begins at its minimum, where the gradient is 0"
            )
        with torch.no_grad():
            targets = logits_of(images)
    if targets.ndim != 2 or len(targets) != len(images):
        raise AttackError(
            f"targets have shape {tuple(targets.shape)}; allowed: ({len(images)}, classes)"
        )
    return targets.detach()
