"""Shamir's secret sharing: any `threshold` shares give the secret, fewer say nothing about it.

Shamir, How to Share a Secret, Communications of the ACM, 1979. Over a prime field, where Python's
own integers do all work: PyCryptodome's, which Flower uses, computes in a binary field bit by bit,
and would take most of a minute to combine the shares of a round of a hundred clients.
"""

import secrets
from collections.abc import Mapping

from fedmvp_core.errors import WireError

PRIME = 2**521 - 1  # a Mersenne prime, above every secret of up to 65 bytes
SECRET_BYTES, SHARE_BYTES = 32, 66


def split(secret: bytes, holders: int, threshold: int) -> list[bytes]:
    """Shares of a secret of 32 bytes, for holders number 1, 2, ...

    The polynomial comes out of the operating system's generator: a share that could be drawn again
    from the run's seed would hide nothing.
    """
    assert len(secret) == SECRET_BYTES
    assert 1 <= threshold <= holders
    drawn = [secrets.randbelow(PRIME) for _ in range(threshold - 1)]
    coefficients = [int.from_bytes(secret, "big"), *drawn]
    return [_value(coefficients, x).to_bytes(SHARE_BYTES, "big") for x in range(1, holders + 1)]


def combine(shares: Mapping[int, bytes]) -> bytes:
    """The secret out of shares, by the numbers of their holders; the threshold's are enough.

    Raises:
        WireError: they are no shares of one secret, or fewer than the threshold.
    """
    points = {x: int.from_bytes(share, "big") for x, share in shares.items()}
    total = 0
    for x, y in points.items():
        above, below = 1, 1
        for other in points:
            if other != x:
                above = above * other % PRIME
                below = below * (other - x) % PRIME
        total = (total + y * above * pow(below, -1, PRIME)) % PRIME
    if total >= 2 ** (8 * SECRET_BYTES):
        raise WireError(f"{len(shares)} shares do not fit together")
    return total.to_bytes(SECRET_BYTES, "big")


def _value(coefficients: list[int], x: int) -> int:
    """Of the polynomial at x, by Horner's rule."""
    value = 0
    for coefficient in reversed(coefficients):
        value = (value * x + coefficient) % PRIME
    return value
