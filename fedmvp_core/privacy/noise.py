"""Gaussian noise: from the operating system where it has to protect, seeded where it is studied."""

import math
import os
from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

from fedmvp_core.config import RunConfig
from fedmvp_core.seeding import generator

# A shape to independent standard normal numbers of it, float64 on the CPU.
Draw: TypeAlias = Callable[[torch.Size], Tensor]


def noise_for(config: RunConfig, purpose: str, round: int = 0, partition_id: int = -1) -> Draw:
    """The noise that `dp-noise` names, for one purpose.

    Every other draw of a run follows from its seed, which clients know; noise that does could be
    drawn again and taken off, so it protects nobody and serves simulations only.
    """
    if config.privacy.dp_noise == "system":
        return system_draw
    return seeded_draw(generator(config.run.seed, purpose, round, partition_id))


def seeded_draw(draw: torch.Generator) -> Draw:
    """Repeatable noise."""
    return lambda shape: torch.randn(shape, generator=draw, dtype=torch.float64)


def system_draw(shape: torch.Size) -> Tensor:
    """Noise out of the operating system's cryptographic generator (Box and Muller, 1958)."""
    numbers = math.prod(shape)
    pairs = (numbers + 1) // 2
    random = torch.frombuffer(bytearray(os.urandom(16 * pairs) or bytes(16)), dtype=torch.int64)
    # 53 random bits each, put in the middle of their interval: never 0, whose logarithm is none.
    uniform = ((random >> 11) & ((1 << 53) - 1)).to(torch.float64).add(0.5) * 2.0**-53
    radius = torch.sqrt(-2 * torch.log(uniform[:pairs]))
    angle = 2 * math.pi * uniform[pairs : 2 * pairs]
    both = torch.cat([radius * torch.cos(angle), radius * torch.sin(angle)])
    return both[:numbers].reshape(shape)
