"""The server's arithmetic: secrets out of shares, masks off the sum."""

from collections.abc import Mapping, Sequence

from fedmvp_core.errors import WireError
from fedmvp_core.secure.keys import agreed, commitment, public_key
from fedmvp_core.secure.masks import Words, take_off
from fedmvp_core.secure.party import MASKING, PublicKeys
from fedmvp_core.secure.shamir import combine


def seed_of(client: int, keys: PublicKeys, shares: Mapping[int, bytes]) -> bytes:
    """A client's own seed. shares: by the number of the holder among the client's, from 1.

    Raises:
        WireError: the shares are not those of the seed that the client has committed itself to.
    """
    seed = combine(shares)
    if commitment(seed) != keys.seed_hash:
        raise WireError(f"the shares of client {client}'s seed do not give it")
    return seed


def masking_key_of(client: int, keys: PublicKeys, shares: Mapping[int, bytes]) -> bytes:
    """A client's private key to mask with; shares as in `seed_of`.

    Raises:
        WireError: the shares are not those of the key that belongs to the client's public one.
    """
    private = combine(shares)
    if public_key(private) != keys.masking:
        raise WireError(f"the shares of client {client}'s key do not give it")
    return private


def unmask(
    total: Words,
    seeds: Mapping[int, bytes],
    gone: Mapping[int, bytes],
    keys: Mapping[int, PublicKeys],
    partners: Mapping[int, Sequence[int]],
) -> None:
    """Take all masks off the sum of some clients' vectors, in place.

    seeds: of the clients in the sum. gone: private keys of those that others masked with and that
    are not in it. partners: client -> those that it masked with.
    """
    left = [
        (client, partner, agreed(gone[partner], keys[client].masking, MASKING))
        for client in seeds
        for partner in partners[client]
        if partner in gone
    ]
    take_off(total, seeds.values(), left)
