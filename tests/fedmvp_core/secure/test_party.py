"""A round between clients and a server without messages, and what a client refuses to give away."""

from dataclasses import replace

import numpy as np
import pytest

from fedmvp_core.errors import WireError
from fedmvp_core.secure.keys import agreed, key_pair, seal, unseal
from fedmvp_core.secure.masks import Words
from fedmvp_core.secure.neighbours import holders_of
from fedmvp_core.secure.party import (
    MASKING,
    PublicKeys,
    Secrets,
    Shares,
    check_neighbours,
    check_question,
    masked_words,
    opened_shares,
    sealed_shares,
)
from fedmvp_core.secure.unmasking import masking_key_of, seed_of, unmask

CLIENTS, THRESHOLD, NUMBERS = 7, 3, 20


def drawn(clients: int = CLIENTS) -> tuple[dict[int, Secrets], dict[int, PublicKeys]]:
    secrets = {client: Secrets.drawn("attempt", client) for client in range(clients)}
    return secrets, {client: own.public() for client, own in secrets.items()}


@pytest.mark.parametrize("holders", [5, CLIENTS])
@pytest.mark.parametrize("gone", [[], [2], [0, 6]])
def test_the_server_learns_the_sum_of_whoever_stays(holders: int, gone: list[int]) -> None:
    secrets, keys = drawn()
    ring = holders_of(list(range(CLIENTS)), holders)
    known = {client: {h: keys[h] for h in ring[client]} for client in secrets}
    given = {c: sealed_shares(own, known[c], THRESHOLD) for c, own in secrets.items()}
    held: dict[int, dict[int, Shares]] = {}
    for client, own in secrets.items():
        sent = {s: given[s][0][client] for s in ring[client] if s != client}
        held[client] = opened_shares(own, known[client], sent) | {client: given[client][1]}
    draw = np.random.default_rng(1)
    plain = {c: draw.integers(0, 2**32, NUMBERS, dtype=np.uint32) for c in secrets}
    partners = {c: [h for h in ring[c] if h != c] for c in secrets}
    alive = [client for client in secrets if client not in gone]
    total: Words = np.zeros(NUMBERS, dtype=np.uint32)
    for client in alive:
        total += masked_words(secrets[client], known[client], partners[client], plain[client])

    def numbered(owner: int, part: int) -> dict[int, bytes]:
        """Of the last holders that are still there."""
        numbers = [(i, h) for i, h in enumerate(ring[owner], start=1) if h in alive][-THRESHOLD:]
        return {i: held[holder][owner][part] for i, holder in numbers}

    seeds = {c: seed_of(c, keys[c], numbered(c, 0)) for c in alive}
    private = {c: masking_key_of(c, keys[c], numbered(c, 1)) for c in gone}
    unmask(total, seeds, private, keys, partners)
    expected = sum(plain[c].astype(object) for c in alive) % 2**32
    assert total.tolist() == expected.tolist()


def test_shares_of_another_secret_are_noticed() -> None:
    secrets, keys = drawn(3)
    sealed, own = sealed_shares(secrets[0], keys, 2)
    other = opened_shares(secrets[1], keys, {0: sealed[1]})[0]
    assert seed_of(0, keys[0], {1: own.seed, 2: other.seed}) == secrets[0].seed
    wrong = bytes([own.seed[0], *own.seed[1:-1], own.seed[-1] ^ 1])
    with pytest.raises(WireError):
        seed_of(0, keys[0], {1: wrong, 2: other.seed})
    with pytest.raises(WireError, match="shares of client 0's key do not give it"):
        masking_key_of(0, keys[0], {1: own.seed, 2: other.seed})


def test_only_the_receiver_can_open_a_share_and_only_of_this_attempt() -> None:
    secrets, keys = drawn(3)
    sealed, _ = sealed_shares(secrets[0], keys, 2)
    for client, changed in (
        (2, sealed[1]),
        (1, sealed[1][:-1] + bytes([sealed[1][-1] ^ 1])),
        (1, b""),
    ):
        with pytest.raises(WireError, match="cannot be opened"):
            opened_shares(secrets[client], keys, {0: changed})
    with pytest.raises(WireError, match="cannot be opened"):
        opened_shares(replace(secrets[1], attempt="another"), keys, {0: sealed[1]})
    with pytest.raises(WireError, match="no neighbour"):
        opened_shares(secrets[1], keys, {9: sealed[1]})


def test_two_agree_and_nobody_else() -> None:
    one, two, three = key_pair(), key_pair(), key_pair()
    secret = agreed(one.private, two.public, MASKING)
    assert secret == agreed(two.private, one.public, MASKING)
    assert secret != agreed(three.private, one.public, MASKING)
    assert secret != agreed(one.private, two.public, "another purpose")
    assert unseal(secret, seal(secret, b"words", "about"), "about") == b"words"
    with pytest.raises(WireError, match="a public key is none"):
        agreed(one.private, bytes(32), MASKING)


def test_whom_a_client_shares_with() -> None:
    secrets, keys = drawn(5)
    check_neighbours(secrets[0], keys, 3)
    with pytest.raises(WireError, match="5 clients would hold shares and 2 give a secret"):
        check_neighbours(secrets[0], keys, 2)
    with pytest.raises(WireError, match="5 clients would hold shares and 6 give a secret"):
        check_neighbours(secrets[0], keys, 6)
    with pytest.raises(WireError, match="two clients have the same key"):
        check_neighbours(secrets[0], keys | {4: keys[3]}, 3)
    with pytest.raises(WireError, match="other keys than this client's"):
        check_neighbours(secrets[0], keys | {0: keys[1]}, 3)


@pytest.mark.parametrize(
    ("alive", "gone"),
    [
        ([0, 1, 2, 3], [3]),  # seed and key of 3
        ([0, 1, 2], []),  # nothing is said of 3
        ([1, 2, 3], [0]),  # its own key
        ([0, 1], [2, 3]),  # fewer than the threshold
        ([0, 1, 2, 3, 9], []),  # somebody else
        ([0, 1, 2, 2], [3]),  # twice
    ],
)
def test_questions_that_a_client_does_not_answer(alive: list[int], gone: list[int]) -> None:
    own = Secrets.drawn("attempt", 0)
    check_question(own, [1, 2, 3], [0, 1, 2], [3], 3)
    check_question(own, [1, 2, 3], [0, 1, 2, 3], [], 3)
    with pytest.raises(WireError, match="allowed: each of its 4 clients once"):
        check_question(own, [1, 2, 3], alive, gone, 3)
