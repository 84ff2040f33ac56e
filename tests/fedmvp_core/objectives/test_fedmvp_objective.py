"""CE + alpha (1 - cos), against values worked out by hand."""

import math

import pytest
import torch
from predicting_model import PredictingModel
from torch import Tensor
from torch.nn import functional as F

from fedmvp_core.logits import cosine_logits
from fedmvp_core.objectives import Batch
from fedmvp_core.objectives.fedmvp import FedMVPObjectiveOptions, fedmvp
from fedmvp_core.prompting import Features

CLASSES = torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)


def predict(images: Tensor) -> tuple[Features, Tensor]:
    """Stands for backbone and prompting: an image's first two numbers are its feature."""
    features = Features(F.normalize(images.flatten(1)[:, :2], dim=-1), CLASSES)
    return features, cosine_logits(features, torch.tensor(2.0, dtype=torch.float64))


MODEL = PredictingModel(predict)


def batch() -> Batch:
    images = torch.tensor([[3.0, 4.0], [1.0, 0.0]], dtype=torch.float64).view(2, 2, 1, 1)
    frozen = torch.tensor([[0.8, 0.6], [0.0, 1.0]], dtype=torch.float64)
    return Batch(images, torch.tensor([0, 0]), frozen, torch.zeros(2, 2), images)


def cross_entropy_by_hand() -> float:
    # logits (1.2, 1.6) and (2, 0), both of class 0
    first = -math.log(math.exp(1.2) / (math.exp(1.2) + math.exp(1.6)))
    second = -math.log(math.exp(2.0) / (math.exp(2.0) + 1))
    return (first + second) / 2


def test_hand_values() -> None:
    loss = fedmvp(FedMVPObjectiveOptions(alpha=10.0))(MODEL, batch()).value
    consistency = ((1 - 0.96) + (1 - 0.0)) / 2
    assert float(loss) == pytest.approx(cross_entropy_by_hand() + 10 * consistency)


def test_alpha_zero_is_cross_entropy() -> None:
    loss = fedmvp(FedMVPObjectiveOptions(alpha=0.0))(MODEL, batch()).value
    assert float(loss) == pytest.approx(cross_entropy_by_hand())


def test_gradient() -> None:
    images = batch().images.clone().requires_grad_()

    def loss(x: Tensor) -> Tensor:
        return fedmvp(FedMVPObjectiveOptions(alpha=10.0))(MODEL, batch()._replace(images=x)).value

    assert torch.autograd.gradcheck(loss, images)
