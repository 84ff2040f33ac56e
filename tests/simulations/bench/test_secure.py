"""The arithmetic that `fedmvp bench secure` times is that of a round."""

import pytest
import torch

from simulations.bench.secure import MANY, NEIGHBOURS
from simulations.bench.secure_exchange import CLIP, plain_mean, secure_mean


@pytest.mark.parametrize("holders", [NEIGHBOURS, 12])
def test_both_sides_make_the_same_mean(holders: int) -> None:
    draw = torch.Generator().manual_seed(1)
    updates = [{"prompt": torch.randn(100, generator=draw).double()} for _ in range(12)]
    plain, secure = plain_mean(updates), secure_mean(updates, holders)
    step = CLIP * len(updates) / 2**31
    assert float((plain["prompt"] - secure["prompt"]).abs().max()) <= step
    assert NEIGHBOURS < MANY
