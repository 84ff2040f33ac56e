"""Masks: numbers that hide a vector of 32-bit words, and cancel in the sum over all clients.

Bonawitz et al., section 4: client u sends y_u = x_u + PRG(b_u) + sum over its partners v of
+PRG(s_uv) if u < v and -PRG(s_uv) if u > v, modulo 2^32. What pairs share cancels; the server takes
b_u off with the shares that u's neighbours hold of it.
"""

from collections.abc import Iterable, Mapping

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from numpy.typing import NDArray

Words = NDArray[np.uint32]  # (numbers,): added and subtracted modulo 2^32, which NumPy does
_START = bytes(16)  # counter and nonce: a seed makes one stream and no other
_WORD = np.dtype("<u4")


def stream(seed: bytes, numbers: int) -> Words:
    """(numbers,): words that look random to everybody without the seed of 32 bytes."""
    cipher = Cipher(ChaCha20(seed, _START), mode=None).encryptor()
    return np.frombuffer(cipher.update(bytes(4 * numbers)), dtype=_WORD).astype(np.uint32)


def masked(words: Words, me: int, own_seed: bytes, pairs: Mapping[int, bytes]) -> Words:
    """What client `me` sends. pairs: partner -> the seed that both know."""
    total = words + stream(own_seed, len(words))
    for partner, seed in pairs.items():
        add_pair(total, me, partner, seed)
    return total


def add_pair(total: Words, me: int, partner: int, seed: bytes) -> None:
    """Add, in place, the part of `me`'s mask that it has with a partner."""
    if me < partner:
        total += stream(seed, len(total))
    else:
        total -= stream(seed, len(total))


def take_off(
    total: Words, own_seeds: Iterable[bytes], left: Iterable[tuple[int, int, bytes]]
) -> None:
    """Take masks off a sum, in place.

    own_seeds: of the clients in the sum. left: (client in the sum, partner that is not, their
    seed), of whose masks only one half is in it.
    """
    for seed in own_seeds:
        total -= stream(seed, len(total))
    for client, partner, seed in left:
        add_pair(total, partner, client, seed)  # the half that is missing
