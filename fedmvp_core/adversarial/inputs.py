"""Checks that all attacks share, each with a message that says what was allowed."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from fedmvp_core.adversarial.losses import is_multi_label
from fedmvp_core.errors import AttackError

LogitsFunction = Callable[[Tensor], Tensor]  # images (batch, 3, h, w) in [0, 1] -> (batch, classes)

# Resizing in float32 leaves this much outside [0, 1].
_ROUNDING = 1e-6


def check_inputs(
    images: Tensor,
    labels: Tensor,
    epsilon: float,
    steps: int,
    step_size: float | None = None,
) -> None:
    """Raise AttackError unless an attack can start on these.

    Args:
        images: (batch, 3, h, w), float32 or float64 in [0, 1].
        labels: (batch,) int64 from 0, or (batch, classes) of 1, 0 and -1 (unknown).
        epsilon: from 0 to 1. steps: 1 or more. step_size: above 0; None: the attack chooses.
    """
    _check_budget(epsilon, steps, step_size)
    _check_images(images)
    _check_labels(labels, images)


def _check_budget(epsilon: float, steps: int, step_size: float | None) -> None:
    if not 0 <= epsilon <= 1:
        raise AttackError(f"epsilon is {epsilon}; allowed: 0 to 1, in pixel units")
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise AttackError(f"steps is {steps!r}; allowed: a whole number, 1 or more")
    if step_size is not None and not (step_size > 0 and math.isfinite(step_size)):
        raise AttackError(f"step size is {step_size}; allowed: above 0, in pixel units")


def _check_images(images: Tensor) -> None:
    if images.ndim != 4 or images.shape[1] != 3 or not images.numel():
        raise AttackError(
            f"images have shape {tuple(images.shape)}; allowed: (batch, 3, h, w), none of them 0"
        )
    if images.dtype not in (torch.float32, torch.float64):
        raise AttackError(
            f"images are {images.dtype}; allowed: float32 or float64 in [0, 1] "
            "(divide uint8 by 255: an epsilon is too fine for the rest)"
        )
    if torch.is_inference_mode_enabled():
        raise AttackError("an attack needs gradients: call it outside torch.inference_mode()")
    lowest, highest = (float(bound) for bound in torch.aminmax(images.detach()))
    if not (lowest >= -_ROUNDING and highest <= 1 + _ROUNDING):
        raise AttackError(f"images range from {lowest:g} to {highest:g}; allowed: [0, 1]")


def _check_labels(labels: Tensor, images: Tensor) -> None:
    if labels.ndim not in (1, 2) or len(labels) != len(images):
        raise AttackError(
            f"labels have shape {tuple(labels.shape)} for {len(images)} images; allowed: (batch,), "
            "or (batch, classes) of 1, 0 and -1"
        )
    if labels.device != images.device:
        raise AttackError(f"labels are on {labels.device}, images on {images.device}")
    if is_multi_label(labels):
        if not bool(((labels == 0) | (labels == 1) | (labels == -1)).all()):
            raise AttackError("multi-label labels hold other values than 1, 0 and -1 (unknown)")
    elif labels.dtype != torch.int64:
        raise AttackError(f"labels are {labels.dtype}; allowed: int64 positions of classes")
    elif int(labels.min()) < 0:
        raise AttackError(f"labels hold {int(labels.min())}; allowed: 0 or more")


def checked_logits(logits_fn: LogitsFunction, labels: Tensor) -> LogitsFunction:
    """`logits_fn`, with the shape of all that it returns checked and half precision made float32.

    Raises (when called):
        AttackError: not (batch, classes), a single class, or fewer classes than the labels name.
    """
    if is_multi_label(labels):
        needed, exact = labels.shape[1], True
    else:
        needed, exact = int(labels.max()) + 1, False

    def logits_of(images: Tensor) -> Tensor:
        logits = logits_fn(images)
        if logits.ndim != 2 or len(logits) != len(images):
            raise AttackError(
                f"the model returns {tuple(logits.shape)} for {len(images)} images; "
                "allowed: (batch, classes)"
            )
        classes = logits.shape[1]
        if not exact and classes < 2:
            raise AttackError("the model knows one class only: no image can be made another's")
        if classes < needed or (exact and classes != needed):
            raise AttackError(f"labels are for {needed} classes, the model returns {classes}")
        low = logits.dtype in (torch.float16, torch.bfloat16)
        return logits.float() if low else logits

    return logits_of


def averaged_logits(logits_fn: LogitsFunction, draws: int) -> LogitsFunction:
    """The mean logits of `draws` passes, for a model that draws noise of its own.

    An attack on them follows the gradient's expectation (Athalye et al., ICML 2018: expectation
    over transformation). Every pass of the attack costs `draws` of the model.

    Raises:
        AttackError: draws below 1.
    """
    if draws < 1:
        raise AttackError(f"draws is {draws}; allowed: a whole number, 1 or more")
    if draws == 1:
        return logits_fn

    def logits_of(images: Tensor) -> Tensor:
        return torch.stack([logits_fn(images) for _ in range(draws)]).mean(dim=0)

    return logits_of
