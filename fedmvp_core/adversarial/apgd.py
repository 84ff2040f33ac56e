"""Auto-PGD (Croce & Hein, ICML 2020): PGD that chooses its own step size."""

import logging
from functools import cache

import torch
from torch import Tensor

from fedmvp_core.adversarial.apgd_ascent import State, ascend
from fedmvp_core.adversarial.inputs import LogitsFunction, check_inputs, checked_logits
from fedmvp_core.adversarial.losses import is_multi_label, loss_named
from fedmvp_core.adversarial.perturbation import ball, own_generator, uniform_noise
from fedmvp_core.adversarial.worst_case import clean_start, hardest_targets

logger = logging.getLogger(__name__)

LOSSES = ("ce", "dlr", "dlr-targeted")
TARGET_CLASSES = 9  # of the targeted attack, as AutoAttack's standard version


def apgd(
    logits_fn: LogitsFunction,
    images: Tensor,
    labels: Tensor,
    epsilon: float,
    steps: int,
    loss: str = "ce",
    restarts: int = 1,
    generator: torch.Generator | None = None,
) -> Tensor:
    """The worst version of each image that APGD finds, from `restarts` random starts.

    Costs a clean forward pass and, for each restart, `steps` forward and backward passes and a
    forward pass over the images still right. "dlr-targeted" (APGD-T) makes a restart for each of
    the 9 nearest classes, or for all others if fewer.

    Where it is undefined the DLR loss gives way to the margin: "dlr" below 3 classes,
    "dlr-targeted" below 4, both in multi-label problems, where the targets are labels to flip.

    Raises:
        AttackError: arguments out of range (see `check_inputs`), or NaN inside the attack.
    """
    check_inputs(images, labels, epsilon, steps)
    loss_of = loss_named(loss, LOSSES)
    logits_of = checked_logits(logits_fn, labels)
    name = f"apgd-{loss}"
    worst, clean_logits = clean_start(logits_of, images, labels, name)
    if loss != "ce":
        _say_when_undefined(loss, clean_logits.shape[1], is_multi_label(labels))
    references = [labels] * restarts
    if loss == "dlr-targeted":
        targets = hardest_targets(clean_logits, labels, TARGET_CLASSES)
        references = [*targets.unbind(dim=1)] * restarts
    draws = own_generator(generator)
    lower, upper = ball(images, epsilon)
    for reference in references:
        noise = uniform_noise(images, draws)  # for all, whatever became of the others
        rows = worst.unfinished()
        if not len(rows):
            break
        reach = noise.abs().amax(dim=(1, 2, 3), keepdim=True).clamp(min=1e-12)
        start = torch.clamp(images.detach() + epsilon * noise / reach, lower, upper)
        parts = [whole[rows] for whole in (start, lower, upper, labels, reference)]
        state = State.begin(epsilon, rows, *parts)
        ascend(logits_of, loss_of, worst, state, steps, name)
    return worst.images


@cache
def _say_when_undefined(loss: str, classes: int, multi_label: bool) -> None:
    """Log once for each kind of problem that the margin takes the place of DLR."""
    if multi_label or classes < (4 if loss == "dlr-targeted" else 3):
        kind = "multi-label problems" if multi_label else f"{classes} classes"
        logger.warning("apgd: loss '%s' is undefined for %s; the margin is used", loss, kind)
