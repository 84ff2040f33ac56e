"""Shamir's shares: any threshold of them give the secret, fewer give nothing."""

import itertools
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedmvp_core.errors import WireError
from fedmvp_core.secure.shamir import PRIME, SHARE_BYTES, combine, split


@given(st.data())
def test_any_threshold_of_shares_gives_the_secret(data: st.DataObject) -> None:
    holders = data.draw(st.integers(1, 12))
    threshold = data.draw(st.integers(1, holders))
    secret = data.draw(st.binary(min_size=32, max_size=32))
    shares = dict(enumerate(split(secret, holders, threshold), start=1))
    chosen = data.draw(st.permutations(sorted(shares)))
    more = data.draw(st.integers(threshold, holders))
    assert combine({number: shares[number] for number in chosen[:more]}) == secret


def test_every_subset_of_a_small_sharing() -> None:
    secret = secrets.token_bytes(32)
    shares = dict(enumerate(split(secret, 6, 4), start=1))
    for size in (4, 5, 6):
        for subset in itertools.combinations(shares, size):
            assert combine({number: shares[number] for number in subset}) == secret


def test_fewer_shares_fit_every_secret() -> None:
    """For any other secret there is a last share that would give it, so the others say nothing."""
    secret, other = secrets.token_bytes(32), int.from_bytes(secrets.token_bytes(32), "big")
    shares = dict(enumerate(split(secret, 5, 3), start=1))
    known = {1: shares[1], 2: shares[2]}
    # Lagrange's formula at 0 for points 1, 2, 3: other = 3 y1 - 3 y2 + y3.
    first, second = (int.from_bytes(known[number], "big") for number in (1, 2))
    third = (other - 3 * first + 3 * second) % PRIME
    made_up = known | {3: third.to_bytes(SHARE_BYTES, "big")}
    assert combine(made_up) == other.to_bytes(32, "big")
    with pytest.raises(WireError, match="do not fit"):
        combine(known)


def test_shares_are_drawn_anew() -> None:
    secret = bytes(32)
    assert split(secret, 3, 2) != split(secret, 3, 2)
    assert all(len(share) == SHARE_BYTES for share in split(secret, 3, 2))
