"""One attempt at a round of secure aggregation: from who takes part to the mean of who stayed.

SecAgg+ (Bell et al., CCS 2020, algorithm 1) against a server that is curious and does what it is
supposed to do. A client may drop out after any question; the others go on as long as the threshold
of them answers. What an attempt holds is forgotten with it, and another one begins with new keys.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from flwr.serverapp import Grid
from torch import Tensor

from fedmvp_core.errors import WireError
from fedmvp_core.secure import records
from fedmvp_core.secure.masks import Words
from fedmvp_core.secure.neighbours import FEWEST, Sharing, holders_of
from fedmvp_core.secure.party import PublicKeys
from fedmvp_core.secure.records import MASKED, MASKING, SEALED, SEEDS, Value
from fedmvp_core.secure.rounding import Scale, mean_of
from fedmvp_core.secure.unmasking import masking_key_of, seed_of, unmask
from fedmvp_core.seeding import generator
from server_app.aggregation import TooFewUpdatesError, Update
from server_app.cohort.nodes import Node
from server_app.replies.norms import Refusal
from server_app.secure.asking import Answers, Asker

Shares = dict[int, dict[int, bytes]]  # owner -> holder -> share


@dataclass(frozen=True)
class Attempt:
    """Clients that have shared their secrets, and what is known of them.

    nodes: those clients. holders: of each client's shares. sealed: receiver -> sender -> its sealed
    shares. refused: why others of the cohort dropped out. size: bytes so far.
    """

    asker: Asker
    sharing: Sharing
    scale: Scale
    nodes: list[Node]
    keys: dict[int, PublicKeys]
    holders: dict[int, list[int]]
    sealed: Shares
    refused: list[Refusal] = field(default_factory=list)
    size: int = 0

    def told(self, client: int) -> dict[str, Value]:
        """What a client is told beside the tensors when it is asked to train."""
        return records.table(SEALED, self.sealed[client]) | {
            records.CLIENTS: self.scale.clients,
            records.MOST_WEIGHT: self.scale.most_weight,
        }

    def partners(self, client: int) -> list[int]:
        """Those that a client masks with: whose shares it was sent."""
        return sorted(self.sealed[client])


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


def open_attempt(
    grid: Grid,
    round: int,
    cohort: Sequence[Node],
    sharing: Sharing,
    scale: Scale,
    seed: int,
    timeout: float,
) -> Attempt:
    """Ask a cohort for keys and for shares of its secrets.

    seed: of the order on the ring, which no secret depends on.

    Raises:
        TooFewUpdatesError: too few answer.
    """
    asker = Asker(grid, round, secrets.token_hex(16), timeout)
    first = asker.ask(records.ASK_KEYS, cohort, {node.partition_id: {} for node in cohort})
    keys = _keys_of(first)
    _require(round, "told their keys", len(keys), sharing, first.refused)
    order = torch.randperm(len(keys), generator=generator(seed, "secagg ring", round)).tolist()
    clients = sorted(keys)
    holders = holders_of([clients[at] for at in order], sharing.holders)
    nodes = [node for node in cohort if node.partition_id in keys]
    threshold: dict[str, Value] = {records.THRESHOLD: sharing.threshold}
    told = {
        client: records.keys_table({holder: keys[holder] for holder in holders[client]}) | threshold
        for client in clients
    }
    second = asker.ask(records.ASK_SHARES, nodes, told)
    sealed = _sealed_by_receiver(second, holders)
    refused, size = [*first.refused, *second.refused], first.size + second.size
    _require(round, "shared their secrets", len(sealed), sharing, refused)
    nodes = [node for node in nodes if node.partition_id in sealed]
    return Attempt(asker, sharing, scale, nodes, keys, holders, sealed, refused, size)


def close_attempt(
    attempt: Attempt, updates: Sequence[Update], like: Mapping[str, Tensor]
) -> SecureMean:
    """Ask whose vectors came for what takes the masks off their sum, and divide it.

    updates: masked. like: the tensors that the mean is of.

    Raises:
        TooFewUpdatesError: too few vectors came, too few answer now, or their shares are wrong.
    """
    round, alive = attempt.asker.round, [update.partition_id for update in updates]
    _require(round, "sent a masked vector", len(alive), attempt.sharing, [])
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


def _keys_of(answers: Answers) -> dict[int, PublicKeys]:
    """The keys of those that told their own and nobody else's."""
    found = {}
    for client, record in answers.records.items():
        try:
            keys = records.read_keys(record, f"client {client}")
            if list(keys) != [client]:
                raise WireError(f"client {client} tells keys of others")
            found[client] = keys[client]
        except WireError as error:
            answers.refused.append(Refusal("secagg", str(error)))
    return found


def _sealed_by_receiver(answers: Answers, holders: Mapping[int, Sequence[int]]) -> Shares:
    """Receiver -> sender -> sealed shares, among those that have answered."""
    sent: Shares = {}
    for client, record in answers.records.items():
        try:
            table = records.read_table(record, SEALED, f"client {client}")
            if sorted([*table, client]) != list(holders[client]):
                raise WireError(f"client {client} shares with others than it was asked to")
            sent[client] = table
        except WireError as error:
            answers.refused.append(Refusal("secagg", str(error)))
    return {
        receiver: {
            sender: table[receiver]
            for sender, table in sent.items()
            if sender != receiver and receiver in table
        }
        for receiver in sent
    }


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
        reasons = "; ".join(dict.fromkeys(refusal.reason for refusal in answers.refused))
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


def _require(
    round: int, what: str, clients: int, sharing: Sharing, refused: Sequence[Refusal]
) -> None:
    least = max(FEWEST, sharing.threshold)
    if clients < least:
        reasons = "; ".join(dict.fromkeys(refusal.reason for refusal in refused))
        raise TooFewUpdatesError(
            f"round {round}: secure aggregation: {clients} clients have {what}, and {least} are "
            f"needed (secagg-threshold is {sharing.threshold}); {reasons or 'none else came in time'}"
        )
