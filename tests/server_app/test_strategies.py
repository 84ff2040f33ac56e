"""Strategies turn updates into the tensors that change."""

from collections.abc import Callable

import pytest
import torch

from fedmvp_core.config import RunConfig
from server_app.strategies import Update, fedavg


@pytest.mark.parametrize(("weighting", "expected"), [("uniform", 2.0), ("examples", 2.5)])
def test_fedavg(default_config: Callable[..., RunConfig], weighting: str, expected: float) -> None:
    aggregate = fedavg(default_config(weighting=weighting))
    updates = [
        Update(0, {"a": torch.tensor([1.0])}, 10),
        Update(1, {"a": torch.tensor([3.0])}, 30),
    ]
    averaged = aggregate(updates, {"a": torch.zeros(1), "b": torch.zeros(1)})
    assert {name: value.item() for name, value in averaged.items()} == {"a": expected}
