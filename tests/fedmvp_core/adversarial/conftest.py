"""Small problems for attacks: a smooth random model of 8x8 pictures, one label or several."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn


class SmallModel(nn.Module):
    """Two layers with random weights that ask for gradients: (batch, 3, 8, 8) -> logits."""

    def __init__(self, classes: int, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.layers = nn.Sequential(nn.Flatten(), nn.Linear(192, 24), nn.Tanh())
            self.head = nn.Linear(24, classes, bias=False)
        self.forwards = 0
        self.images_seen = 0

    def forward(self, images: Tensor) -> Tensor:
        self.forwards += 1
        self.images_seen += len(images)
        # Centred, so that every class is the answer for some pictures.
        return 20 * self.head(self.layers(images - 0.5))


@dataclass
class Problem:
    """A model, pictures that it gets right, and their labels."""

    model: SmallModel
    images: Tensor
    labels: Tensor


def _problem(classes: int, multi_label: bool = False, count: int = 12) -> Problem:
    model = SmallModel(classes)
    draw = torch.Generator().manual_seed(classes)
    images = torch.rand((count, 3, 8, 8), generator=draw)
    with torch.no_grad():
        logits = model(images)
    model.forwards = model.images_seen = 0
    return Problem(model, images, (logits > 0).long() if multi_label else logits.argmax(dim=1))


@pytest.fixture
def problem() -> Callable[..., Problem]:
    """problem(classes, multi_label=False, count=12)."""
    return _problem


@pytest.fixture
def draws() -> torch.Generator:
    return torch.Generator().manual_seed(7)
