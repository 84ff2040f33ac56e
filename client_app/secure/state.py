"""What a client keeps between the questions of one round: its secrets and the shares it holds.

They live in the node's context alone, never on the disk: Flower hands the context from one message
to the next, whatever process plays the client. A question of another attempt finds nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from flwr.app import ConfigRecord, RecordDict

from fedmvp_core.errors import WireError
from fedmvp_core.protocol import integer
from fedmvp_core.secure.party import PublicKeys, Secrets, Shares
from fedmvp_core.secure.records import (
    MASKING,
    SEEDS,
    keys_table,
    read_clients,
    read_keys,
    read_list,
    read_table,
    table,
)

_KEPT, _OWN, _ATTEMPT, _CLIENT, _THRESHOLD = "secure-kept", "own", "attempt", "client", "threshold"
_PARTNERS = "partners"
_SENDER = "this client's state"


@dataclass(frozen=True)
class Kept:
    """keys: of the holders of the client's shares; so many of them as threshold give a secret.

    shares: those that it holds, by owner. partners: whom it has masked its vector with; None: it
    has sent none yet.
    """

    own: Secrets
    keys: dict[int, PublicKeys] = field(default_factory=dict)
    threshold: int = 0
    shares: dict[int, Shares] = field(default_factory=dict)
    partners: Sequence[int] | None = None


def keep(state: RecordDict, kept: Kept) -> None:
    """Keep it instead of what was kept before."""
    own = kept.own
    record = ConfigRecord(
        {
            _ATTEMPT: own.attempt,
            _CLIENT: own.client,
            _THRESHOLD: kept.threshold,
            _OWN: [own.sealing, own.masking, own.seed],
            **keys_table(kept.keys),
            **table(SEEDS, {owner: share.seed for owner, share in kept.shares.items()}),
            **table(MASKING, {owner: share.key for owner, share in kept.shares.items()}),
        }
    )
    if kept.partners is not None:
        record[_PARTNERS] = list(kept.partners)
    state[_KEPT] = record


def kept_of(state: RecordDict, attempt: str) -> Kept:
    """What is kept of an attempt.

    Raises:
        WireError: this client knows nothing of it, or has answered its last question.
    """
    record = state.get(_KEPT)
    if not isinstance(record, ConfigRecord) or record[_ATTEMPT] != attempt:
        raise WireError("this client holds no secrets of the server's attempt at this round")
    client, threshold = (integer(record, key, _SENDER) for key in (_CLIENT, _THRESHOLD))
    own = Secrets(attempt, client, *read_list(record, _OWN, bytes, _SENDER))
    seeds, keys = read_table(record, SEEDS, _SENDER), read_table(record, MASKING, _SENDER)
    partners = read_clients(record, _PARTNERS, _SENDER) if _PARTNERS in record else None
    shares = {owner: Shares(seeds[owner], keys[owner]) for owner in seeds}
    return Kept(own, read_keys(record, _SENDER), threshold, shares, partners)


def forget(state: RecordDict) -> None:
    """Let the secrets go: whatever is asked later, they answer nothing any more."""
    state.pop(_KEPT, None)
