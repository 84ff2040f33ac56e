"""What an objective is, what it gets and what it returns."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from torch import Tensor

from fedmvp_core.config.options import NoOptions
from fedmvp_core.local.model import LocalModel
from fedmvp_core.local.views import FROZEN_FEATURES, FROZEN_LOGITS


class Batch(NamedTuple):
    """images: (batch, 3, height, width), in [0, 1]. labels: (batch,) int64, or (batch, classes) of
    1, 0 and -1 (unknown) where an image may have several.

    frozen_features: (batch, d), unit features of another view x' under the frozen model.
    frozen_logits: (batch, classes), logits of the images under the frozen model and the plain
        template.
    adversarial: as images; the attack's answer to them, or the images themselves for an objective
        that asks for no attack.
    """

    images: Tensor
    labels: Tensor
    frozen_features: Tensor
    frozen_logits: Tensor
    adversarial: Tensor

    @property
    def multi_label(self) -> bool:
        """Whether every class is a yes or no of its own."""
        return self.labels.ndim == 2


class Loss(NamedTuple):
    """value: the scalar to minimise. measured: detached scalars that are logged every step."""

    value: Tensor
    measured: dict[str, Tensor]


# What a client minimises: the tuned model of this step and a batch, to the loss.
LossFunction: TypeAlias = Callable[[LocalModel, Batch], Loss]


@dataclass(frozen=True)
class Objective:
    """A loss under its paper's name.

    loss: options -> the function that a client minimises.
    options: the options class.
    attack: the loss that the attack in training climbs, "ce" (of the labels) or "kl" (from the
        clean prediction); None: the objective looks at clean images alone.
    adjust: (options, model, logits of the attacked classes) -> the logits that the attack climbs
        on instead; None: as they are.
    needs: "image" or "text": the features that a module has to change, since the objective says
        something of them that is a constant otherwise; "": either.
    asks: a function that the prompting module must have beside those of every one; "": none.
    several_labels: whether an image may have several.
    reads: which of a batch's "frozen_features" and "frozen_logits" the loss reads: with crops that
        are drawn in each step, either costs a frozen forward, and the others are NaN.
    """

    name: str
    source: str
    loss: Callable[[Any], LossFunction]
    options: type = NoOptions
    attack: str | None = None
    adjust: Callable[[Any, LocalModel, Tensor], Tensor] | None = None
    needs: str = ""
    asks: str = ""
    several_labels: bool = True
    reads: tuple[str, ...] = (FROZEN_FEATURES, FROZEN_LOGITS)
