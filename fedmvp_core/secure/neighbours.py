"""Who holds shares of whose secrets, and how many must answer."""

from collections.abc import Sequence
from typing import NamedTuple

from fedmvp_core.config import PrivacySection
from fedmvp_core.errors import ConfigError

FEWEST = 3  # of two clients each knows the other's update from the sum and its own


class Sharing(NamedTuple):
    """holders: of each client's shares, itself included. threshold: so many give a secret."""

    holders: int
    threshold: int


def sharing(privacy: PrivacySection, clients: int) -> Sharing:
    """As a run's keys ask for it, of a round that asks so many clients.

    Raises:
        ConfigError: they are too few for it, or do not fit on a ring.
    """
    holders = privacy.secagg_shares or clients
    threshold = privacy.secagg_threshold or holders // 2 + 1
    for key, needed in (
        ("secure-aggregation is true", FEWEST),
        (f"secagg-threshold is {threshold}", threshold),
        (f"secagg-shares is {holders}", holders),
    ):
        if clients < needed:
            raise ConfigError(
                f"{key}, which needs {needed} clients a round, but a round has {clients}; allowed: "
                "more clients, or less of it"
            )
    if holders < clients and holders % 2 == 0:
        raise ConfigError(
            f"secagg-shares is {holders} of {clients} clients; allowed: an odd number, for a "
            "client and as many neighbours on both sides, or 0 for all"
        )
    if threshold > holders or 2 * threshold <= holders:
        raise ConfigError(
            f"secagg-threshold is {threshold} of {holders} shares; allowed: {holders // 2 + 1} to "
            f"{holders}: with half of them a server could ask two halves for two secrets"
        )
    return Sharing(holders, threshold)


def holders_of(ring: Sequence[int], holders: int) -> dict[int, list[int]]:
    """Client -> those that hold shares of its secrets, sorted and itself included.

    Of clients on a ring these are the nearest on both sides, so that holding goes both ways. All,
    where there are no more clients than holders.
    """
    size = len(ring)
    if size <= holders:
        return {client: sorted(ring) for client in ring}
    side = holders // 2
    return {
        client: sorted(ring[(at + away) % size] for away in range(-side, side + 1))
        for at, client in enumerate(ring)
    }
