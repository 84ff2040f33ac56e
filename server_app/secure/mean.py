"""The end of an attempt: whose vectors came give what takes the masks off their sum."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from fedmvp_core.errors import WireError
from fedmvp_core.secure import records
from fedmvp_core.secure.masks import Words
from fedmvp_core.secure.records import MASKED, MASKING, SEEDS, Value
from fedmvp_core.secure.rounding import mean_of
from fedmvp_core.secure.unmasking import masking_key_of, seed_of, unmask
from server_app.aggregation import TooFewUpdatesError, Update
from server_app.replies.norms import reasons_of
from server_app.secure.asking import Answers
from server_app.secure.attempt import Attempt, require


@dataclass(frozen=True)
class SecureMean:
    """mean: float64 tensors, what the clients changed on average. weight: the sum of theirs.

    bound: how far rounding may have moved a number of it. size: bytes of keys and shares.
    """

    mean: dict[str, Tensor]
    weight: int
    clients: int
    bound: float
    size: int


def close_attempt(
    attempt: Attempt, updates: Sequence[Update], like: Mapping[str, Tensor]
) -> SecureMean:
    """Ask whose vectors came for what takes the masks off their sum, and divide it.

    updates: masked. like: the tensors that the mean is of.

    Raises:
        TooFewUpdatesError: too few vectors came, too few answer now, or their shares are wrong.
    """
    round, alive = attempt.asker.round, [update.partition_id for update in updates]
    require(round, "sent a masked vector", len(alive), attempt.sharing, [])
    gone = [n.partition_id for n in attempt.nodes if n.partition_id not in alive]
    answers = _asked_for_shares(attempt, alive, gone)
    try:
        seeds = {
            client: seed_of(client, attempt.keys[client], _shares(attempt, client, SEEDS, answers))
            for client in alive
        }
        private = {
            client: masking_key_of(
                client, attempt.keys[client], _shares(attempt, client, MASKING, answers)
            )
            for client in gone
            if set(attempt.partners(client)) & set(alive)
        }
        total = _sum_of(updates)
        partners = {client: attempt.partners(client) for client in alive}
        unmask(total, seeds, private, attempt.keys, partners)
        mean, weight = mean_of(total, like, len(alive), attempt.scale)
    except WireError as error:
        raise TooFewUpdatesError(f"round {round}: secure aggregation fails: {error}") from error
    bound = attempt.scale.error_bound(len(alive), weight)
    size = attempt.size + answers.size
    return SecureMean(mean, weight, len(alive), bound, size)


def _asked_for_shares(attempt: Attempt, alive: Sequence[int], gone: Sequence[int]) -> Answers:
    """What those in the sum give of the secrets that they hold."""
    told: dict[int, dict[str, Value]] = {}
    for client in alive:
        known = {client, *attempt.partners(client)}
        told[client] = {
            records.ALIVE: [other for other in alive if other in known],
            records.GONE: [other for other in gone if other in known],
        }
    nodes = [node for node in attempt.nodes if node.partition_id in alive]
    return attempt.asker.ask(records.ASK_UNMASK, nodes, told)


def _shares(attempt: Attempt, client: int, name: str, answers: Answers) -> dict[int, bytes]:
    """Shares of a client's secret, by the number of the holder; as many as give it.

    Raises:
        WireError: they are too few.
    """
    found: dict[int, bytes] = {}
    for number, holder in enumerate(attempt.holders[client], start=1):
        if holder in answers.records:
            table = records.read_table(answers.records[holder], name, f"client {holder}")
            if client in table:
                found[number] = table[client]
    if len(found) < attempt.sharing.threshold:
        reasons = reasons_of(answers.refused)
        raise WireError(
            f"{len(found)} of the {len(attempt.holders[client])} holders of client {client}'s "
            f"shares answer, secagg-threshold is {attempt.sharing.threshold}"
            f"{f'; {reasons}' if reasons else ''}"
        )
    return dict(list(found.items())[: attempt.sharing.threshold])


def _sum_of(updates: Sequence[Update]) -> Words:
    """Modulo 2^32; updates in a file are read one after the other."""
    total: Words = np.zeros(updates[0].tensors[MASKED].numel(), dtype=np.uint32)
    for update in updates:
        total += update.tensors[MASKED].numpy().view(np.uint32)
    return total
