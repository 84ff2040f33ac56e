"""Masks cancel in the sum of all clients, and what is left of those that dropped out comes off."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fedmvp_core.secure.masks import Words, masked, stream, take_off

NUMBERS = 50


def seed(*words: object) -> bytes:
    return "-".join(map(str, words)).encode().ljust(32, b".")


def pair(one: int, other: int) -> bytes:
    return seed("pair", min(one, other), max(one, other))


def vectors(clients: int) -> list[Words]:
    draw = np.random.default_rng(clients)
    return [draw.integers(0, 2**32, NUMBERS, dtype=np.uint32) for _ in range(clients)]


def sent_by(client: int, clients: int, words: Words) -> Words:
    others = {other: pair(client, other) for other in range(clients) if other != client}
    return masked(words, client, seed("own", client), others)


@given(st.integers(1, 8), st.data())
def test_the_sum_of_whoever_stays_is_that_of_their_vectors(
    clients: int, data: st.DataObject
) -> None:
    plain = vectors(clients)
    stay = data.draw(st.lists(st.integers(0, clients - 1), min_size=1, unique=True))
    gone = sorted(set(range(clients)) - set(stay))
    total = np.zeros(NUMBERS, dtype=np.uint32)
    for client in stay:
        total += sent_by(client, clients, plain[client])
    own = [seed("own", client) for client in stay]
    left = [(one, other, pair(one, other)) for one, other in itertools.product(stay, gone)]
    take_off(total, own, left)
    expected = sum(plain[client].astype(object) for client in stay) % 2**32
    assert total.tolist() == expected.tolist()


def test_pairs_cancel_without_anybody() -> None:
    plain = vectors(4)
    total = sum((sent_by(i, 4, plain[i]) for i in range(4)), np.zeros(NUMBERS, dtype=np.uint32))
    total -= sum((stream(seed("own", i), NUMBERS) for i in range(4)), np.zeros_like(total))
    assert np.array_equal(total, sum(plain[1:], plain[0].copy()))


def test_a_masked_vector_looks_random() -> None:
    zeros = np.zeros(100_000, dtype=np.uint32)
    words = masked(zeros, 1, seed("own"), {})
    bits = np.unpackbits(words.view(np.uint8))
    assert abs(bits.mean() - 0.5) < 5 * 0.5 / len(bits) ** 0.5
    assert not zeros.any(), "the client's own vector is left as it is"


def test_a_stream_is_that_of_chacha20() -> None:
    """RFC 8439, test vector 1 of appendix A.1: all zeros of key, nonce and counter."""
    expected = bytes.fromhex("76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7")
    assert stream(bytes(32), 8).astype("<u4").tobytes() == expected
