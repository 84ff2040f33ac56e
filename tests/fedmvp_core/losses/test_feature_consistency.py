"""1 - cosine, averaged over a batch."""

import pytest
import torch

from fedmvp_core.losses.feature_consistency import feature_consistency


def test_hand_values() -> None:
    features = torch.tensor([[3.0, 4.0], [1.0, 0.0], [0.0, 2.0]])
    frozen = torch.tensor([[4.0, 3.0], [1.0, 0.0], [0.0, -1.0]])
    # cosines 24 / 25, 1 and -1
    assert float(feature_consistency(features, frozen)) == pytest.approx((0.04 + 0 + 2) / 3)


def test_gradient() -> None:
    draw = torch.Generator().manual_seed(0)
    features = torch.randn(3, 5, generator=draw, dtype=torch.float64, requires_grad=True)
    frozen = torch.randn(3, 5, generator=draw, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: feature_consistency(x, frozen), features)
