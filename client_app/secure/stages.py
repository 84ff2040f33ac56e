"""What a client answers to the questions of secure aggregation, one function for each.

Each looks first whether the server may ask so: what a client gives away twice, or to too few,
cannot be taken back.
"""

from collections.abc import Mapping
from dataclasses import replace

import torch
from flwr.app import ConfigRecord, Message, RecordDict
from torch import Tensor

from client_app.secure.state import Kept, forget, keep, kept_of
from fedmvp_core.config import PrivacySection, RunConfig
from fedmvp_core.errors import WireError
from fedmvp_core.privacy.mechanisms import clipped_update
from fedmvp_core.protocol import check_finite, integer
from fedmvp_core.secure import records
from fedmvp_core.secure.party import (
    Secrets,
    check_neighbours,
    check_question,
    masked_words,
    opened_shares,
    sealed_shares,
)
from fedmvp_core.secure.records import MASKED, MASKING, RECORD, SEALED, SEEDS, Value
from fedmvp_core.secure.rounding import Scale, words_of

SERVER = "the server"


def answer_keys(message: Message, state: RecordDict, client: int) -> dict[str, Value]:
    """New secrets for a new attempt, and the public keys that go with them."""
    attempt = records.read_attempt(asked(message), SERVER)
    own = Secrets.drawn(attempt, client)
    keep(state, Kept(own))
    return _answer(own) | records.keys_table({client: own.public()})


def answer_shares(message: Message, state: RecordDict, config: RunConfig) -> dict[str, Value]:
    """Shares of this client's secrets, sealed for each of its neighbours.

    Raises:
        WireError: they were given already, or may not be given to these.
    """
    record = asked(message)
    kept = kept_of(state, records.read_attempt(record, SERVER))
    if kept.keys:
        raise WireError(f"client {kept.own.client} has shared its secrets already")
    keys, threshold = records.read_keys(record, SERVER), _threshold(record, config.privacy)
    check_neighbours(kept.own, keys, threshold)
    sealed, own = sealed_shares(kept.own, keys, threshold)
    shares = {kept.own.client: own}
    keep(state, replace(kept, keys=keys, threshold=threshold, shares=shares))
    return _answer(kept.own) | records.table(SEALED, sealed)


def masked_update(
    message: Message,
    state: RecordDict,
    config: RunConfig,
    trained: Mapping[str, Tensor],
    received: Mapping[str, Tensor],
    weight: int,
) -> dict[str, Tensor]:
    """What this client changed, clipped, weighted, rounded and masked: int32 words.

    weight: of this client in the mean.

    Raises:
        WireError: the update is not finite or too heavy, too few neighbours have shared with this
            client, or it has sent a vector of this attempt already.
    """
    record = asked(message)
    kept = kept_of(state, records.read_attempt(record, SERVER))
    own = kept.own
    if kept.partners is not None or not kept.keys:
        raise WireError(f"client {own.client} is asked for a vector out of turn")
    check_finite(trained, f"client {own.client}")
    shares = opened_shares(own, kept.keys, records.read_table(record, SEALED, SERVER))
    partners = sorted(shares)
    if len(partners) + 1 < kept.threshold:
        raise WireError(
            f"client {own.client}: {len(partners)} neighbours have shared their secrets with it; "
            f"allowed: {kept.threshold - 1} or more"
        )
    clip = config.privacy.clipping_norm
    scale = Scale(clip, *records.read_scale(record, SERVER))
    words = words_of(clipped_update(trained, received, clip), weight, scale)
    masked = masked_words(own, kept.keys, partners, words)
    keep(state, replace(kept, shares=kept.shares | shares, partners=partners))
    return {MASKED: torch.from_numpy(masked.view("int32"))}


def answer_unmask(message: Message, state: RecordDict) -> dict[str, Value]:
    """Shares of the seeds of who is in the sum, and of the keys of who is not; given once.

    Raises:
        WireError: the server asks for what would bare a single vector, or a second time.
    """
    record = asked(message)
    kept = kept_of(state, records.read_attempt(record, SERVER))
    if kept.partners is None:
        raise WireError(f"client {kept.own.client} has sent no vector of this attempt")
    alive = records.read_clients(record, records.ALIVE, SERVER)
    gone = records.read_clients(record, records.GONE, SERVER)
    check_question(kept.own, kept.partners, alive, gone, kept.threshold)
    forget(state)
    return (
        _answer(kept.own)
        | records.table(SEEDS, {client: kept.shares[client].seed for client in alive})
        | records.table(MASKING, {client: kept.shares[client].key for client in gone})
    )


def asked(message: Message) -> ConfigRecord:
    """The server's question; raises WireError when the message holds none."""
    record = message.content.get(RECORD)
    if not isinstance(record, ConfigRecord):
        raise WireError(f"{SERVER}: the message holds no record '{RECORD}'")
    return record


def _threshold(record: ConfigRecord, privacy: PrivacySection) -> int:
    """How many shares give a secret: as the run's keys say, else as the server does.

    Raises:
        WireError: the server says something else than the run's keys.
    """
    told = integer(record, records.THRESHOLD, SERVER)
    if privacy.secagg_threshold not in (0, told):
        raise WireError(
            f"{SERVER}: {told} shares would give a secret; allowed: {privacy.secagg_threshold} "
            "(secagg-threshold)"
        )
    return told


def _answer(own: Secrets) -> dict[str, Value]:
    return {records.ATTEMPT: own.attempt, records.PARTITION_ID: own.client}
