"""What an objective gets and returns."""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from torch import Tensor

from fedmvp_core.prompting import Features


class Batch(NamedTuple):
    """images: (batch, 3, height, width), in [0, 1]. labels: (batch,) int64.

    frozen_features: (batch, d), unit features of another view x' under the frozen model.
    """

    images: Tensor
    labels: Tensor
    frozen_features: Tensor


# Images of the local task to (features, logits: (batch, classes)).
Predict: TypeAlias = Callable[[Tensor], tuple[Features, Tensor]]
# The scalar loss of a batch.
Objective: TypeAlias = Callable[[Predict, Batch], Tensor]
