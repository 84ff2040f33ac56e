"""Who shares with whom, and cohorts that are too small for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from run_configs import run_config

from fedmvp_core.errors import ConfigError
from fedmvp_core.secure.neighbours import Sharing, holders_of, sharing


@given(st.integers(3, 30), st.integers(1, 10), st.randoms())
def test_holding_goes_both_ways_and_is_shared_out_evenly(clients: int, side: int, draw) -> None:  # type: ignore[no-untyped-def]
    ring = list(range(100, 100 + clients))
    draw.shuffle(ring)
    holders = holders_of(ring, 2 * side + 1)
    for client, own in holders.items():
        assert client in own
        assert len(set(own)) == len(own) == min(clients, 2 * side + 1)
        assert all(client in holders[other] for other in own)


@pytest.mark.parametrize(
    ("keys", "clients", "expected"),
    [
        ({}, 8, Sharing(8, 5)),
        ({}, 3, Sharing(3, 2)),
        ({"secagg_threshold": 7}, 8, Sharing(8, 7)),
        ({"secagg_shares": 5}, 100, Sharing(5, 3)),
        ({"secagg_shares": 8}, 8, Sharing(8, 5)),
    ],
)
def test_what_keys_mean(keys: dict[str, int], clients: int, expected: Sharing) -> None:
    assert sharing(run_config(**keys).privacy, clients) == expected


@pytest.mark.parametrize(
    ("keys", "clients", "words"),
    [
        ({}, 2, "secure-aggregation is true, which needs 3 clients a round, but a round has 2"),
        ({"secagg_threshold": 9}, 8, "secagg-threshold is 9, which needs 9 clients a round"),
        ({"secagg_shares": 9}, 8, "secagg-shares is 9, which needs 9 clients a round"),
        ({"secagg_shares": 4}, 8, "secagg-shares is 4 of 8 clients; allowed: an odd number"),
        ({"secagg_threshold": 4}, 8, "secagg-threshold is 4 of 8 shares; allowed: 5 to 8"),
        ({"secagg_shares": 3, "secagg_threshold": 4}, 8, "is 4 of 3 shares; allowed: 2 to 3"),
    ],
)
def test_what_cannot_be(keys: dict[str, int], clients: int, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        sharing(run_config(**keys).privacy, clients)
