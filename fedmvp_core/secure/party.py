"""One client's part in a round: its secrets, the shares it gives and holds, its masked vector.

Every secret is drawn anew for each attempt at a round and serves once.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from fedmvp_core.errors import WireError
from fedmvp_core.secure.keys import (
    KEY_BYTES,
    agreed,
    commitment,
    key_pair,
    public_key,
    seal,
    unseal,
)
from fedmvp_core.secure.masks import Words, masked
from fedmvp_core.secure.shamir import SHARE_BYTES, split

SEALING, MASKING = "fedmvp secagg sealing", "fedmvp secagg masking"


class PublicKeys(NamedTuple):
    """What a client tells all: keys to seal shares for it and to mask with it, its seed's hash."""

    sealing: bytes
    masking: bytes
    seed_hash: bytes


class Shares(NamedTuple):
    """Of one client's own seed, and of its private key to mask with."""

    seed: bytes
    key: bytes


@dataclass(frozen=True)
class Secrets:
    """What a client alone knows of one attempt. client: its partition id."""

    attempt: str
    client: int
    sealing: bytes
    masking: bytes
    seed: bytes

    @classmethod
    def drawn(cls, attempt: str, client: int) -> "Secrets":
        """New ones, out of the operating system's generator."""
        seed = secrets.token_bytes(KEY_BYTES)
        return cls(attempt, client, key_pair().private, key_pair().private, seed)

    def public(self) -> PublicKeys:
        """What others may know."""
        return PublicKeys(public_key(self.sealing), public_key(self.masking), commitment(self.seed))


def check_neighbours(own: Secrets, keys: Mapping[int, PublicKeys], threshold: int) -> None:
    """Whether the server may be given shares for these holders.

    keys: of all that are to hold shares, this client included.

    Raises:
        WireError: they are too few to hide this client, so many that two halves could answer two
            questions, or not all different.
    """
    if keys.get(own.client) != own.public():
        raise WireError(f"client {own.client}: the server sent back other keys than this client's")
    if len(keys) < threshold or 2 * threshold <= len(keys):
        raise WireError(
            f"client {own.client}: {len(keys)} clients would hold shares and {threshold} give a "
            f"secret; allowed: {threshold} to {2 * threshold - 1} holders"
        )
    if len({key for public in keys.values() for key in public}) < 3 * len(keys):
        raise WireError(f"client {own.client}: two clients have the same key")


def sealed_shares(
    own: Secrets, keys: Mapping[int, PublicKeys], threshold: int
) -> tuple[dict[int, bytes], Shares]:
    """What every other holder is sent by way of the server, sealed, and the client's own share."""
    holders = sorted(keys)
    seeds, masking = (split(s, len(holders), threshold) for s in (own.seed, own.masking))
    shares = dict(zip(holders, map(Shares, seeds, masking), strict=True))
    sealed = {
        holder: seal(
            agreed(own.sealing, keys[holder].sealing, SEALING),
            share.seed + share.key,
            _about(own.attempt, own.client, holder),
        )
        for holder, share in shares.items()
        if holder != own.client
    }
    return sealed, shares[own.client]


def opened_shares(
    own: Secrets, keys: Mapping[int, PublicKeys], sealed: Mapping[int, bytes]
) -> dict[int, Shares]:
    """The shares that others have sealed for this client, by their owners.

    Raises:
        WireError: a sender is no neighbour, or one cannot be opened.
    """
    found = {}
    for sender, data in sealed.items():
        if sender not in keys or sender == own.client:
            raise WireError(f"client {own.client} is no neighbour of client {sender}")
        key = agreed(own.sealing, keys[sender].sealing, SEALING)
        plain = unseal(key, data, _about(own.attempt, sender, own.client))
        if len(plain) != 2 * SHARE_BYTES:
            raise WireError(f"client {sender} sealed {len(plain)} bytes of shares")
        found[sender] = Shares(plain[:SHARE_BYTES], plain[SHARE_BYTES:])
    return found


def masked_words(
    own: Secrets, keys: Mapping[int, PublicKeys], partners: Sequence[int], words: Words
) -> Words:
    """This client's vector under its own mask and one with each partner."""
    pairs = {p: agreed(own.masking, keys[p].masking, MASKING) for p in partners}
    return masked(words, own.client, own.seed, pairs)


def check_question(
    own: Secrets, partners: Sequence[int], alive: Sequence[int], gone: Sequence[int], least: int
) -> None:
    """Whether the server may have seeds of `alive` and keys of `gone`; who has both reads a vector.

    Raises:
        WireError: somebody is in both or in none, or fewer than `least` are alive.
    """
    asked = sorted([*alive, *gone])
    if asked != sorted([own.client, *partners]) or own.client not in alive or len(alive) < least:
        raise WireError(
            f"client {own.client}: the server asks for seeds of {len(alive)} and keys of "
            f"{len(gone)} clients; allowed: each of its {len(partners) + 1} clients once, itself "
            f"and {least - 1} others or more among the first"
        )


def _about(attempt: str, sender: int, receiver: int) -> str:
    return f"{attempt} {sender} {receiver}"
