"""Random numbers that depend on what they are for, not on who draws first.

Every draw comes from a generator seeded by (seed, round, partition id, purpose), so that a run is
repeatable whatever the order in which clients finish and however many workers play them.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def derived_seed(seed: int, purpose: str, round: int = 0, partition_id: int = -1) -> int:
    """A 63-bit seed for one purpose; partition_id -1 stands for the server."""
    key = f"{seed}/{round}/{partition_id}/{purpose}".encode()
    return int.from_bytes(hashlib.sha256(key).digest()[:8], "big") >> 1


def generator(seed: int, purpose: str, round: int = 0, partition_id: int = -1) -> torch.Generator:
    """A CPU generator of its own for one purpose."""
    return torch.Generator().manual_seed(derived_seed(seed, purpose, round, partition_id))


@contextmanager
def seeded_global_rng(seed: int, purpose: str) -> Iterator[None]:
    """Seed torch's global CPU generator inside the block and restore it afterwards.

    torch's own initialisers (nn.Linear, nn.MultiheadAttention) draw from the global generator.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derived_seed(seed, purpose))
        yield
