"""What an objective gets and returns."""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from torch import Tensor

from fedmvp_core.prompting import Features


class Batch(NamedTuple):
    """images: (batch, 3, height, width), in [0, 1]. labels: (batch,) int64, or (batch, classes) of
    1, 0 and -1 (unknown) where an image may have several.

    frozen_features: (batch, d), unit features of another view x' under the frozen model.
    frozen_logits: (batch, classes), scores of the images under the frozen model and the plain
        template.
    adversarial: as images; the attack's answer to them, or the images themselves for a method that
        trains without an attack.
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


# Images of the local task to (features, logits: (batch, classes)).
Predict: TypeAlias = Callable[[Tensor], tuple[Features, Tensor]]
Objective: TypeAlias = Callable[[Predict, Batch], Loss]
