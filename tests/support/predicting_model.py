"""A client's model for tests of objectives: any function stands for backbone and prompting."""

from collections.abc import Callable

from torch import Tensor

from fedmvp_core.local.model import LocalModel, LocalRound
from fedmvp_core.prompting import Features

# (batch, 3, height, width) -> features, logits: (batch, classes).
Predict = Callable[[Tensor], tuple[Features, Tensor]]


class PredictingModel(LocalModel):
    """Predicts with the given function; its loss of labels is the real model's."""

    def __init__(self, predict: Predict, multi_label_loss: str = "asl") -> None:
        self._predict, self.round = predict, LocalRound(multi_label_loss=multi_label_loss)

    def predict(self, images: Tensor) -> tuple[Features, Tensor]:
        """images: (batch, 3, height, width) -> features, logits: (batch, classes)."""
        return self._predict(images)
