"""One attempt at a round of secure aggregation: who takes part, with which keys and shares.

SecAgg+ (Bell et al., CCS 2020, algorithm 1) against a server that is curious and does what it is
supposed to do. A client may drop out after any question; the others go on as long as the threshold
of them answers. What an attempt holds is forgotten with it, and another one begins with new keys.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from flwr.serverapp import Grid

from fedmvp_core.errors import WireError
from fedmvp_core.secure import records
from fedmvp_core.secure.neighbours import FEWEST, Sharing, holders_of
from fedmvp_core.secure.party import PublicKeys
from fedmvp_core.secure.records import SEALED, Value
from fedmvp_core.secure.rounding import Scale
from fedmvp_core.seeding import generator
from server_app.aggregation import TooFewUpdatesError
from server_app.cohort.nodes import Node
from server_app.replies.norms import Refusal, reasons_of
from server_app.secure.asking import MALFORMED, Answers, Asker

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
    require(round, "told their keys", len(keys), sharing, first.refused)
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
    require(round, "shared their secrets", len(sealed), sharing, refused)
    nodes = [node for node in nodes if node.partition_id in sealed]
    return Attempt(asker, sharing, scale, nodes, keys, holders, sealed, refused, size)


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
            answers.refused.append(Refusal(MALFORMED, str(error)))
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
            answers.refused.append(Refusal(MALFORMED, str(error)))
    return {
        receiver: {
            sender: table[receiver]
            for sender, table in sent.items()
            if sender != receiver and receiver in table
        }
        for receiver in sent
    }


def require(
    round: int, what: str, clients: int, sharing: Sharing, refused: Sequence[Refusal]
) -> None:
    """Raises TooFewUpdatesError when fewer clients than the threshold, or than three, are left."""
    least = max(FEWEST, sharing.threshold)
    if clients < least:
        reasons = reasons_of(refused)
        raise TooFewUpdatesError(
            f"round {round}: secure aggregation: {clients} clients have {what}, and {least} are "
            f"needed (secagg-threshold is {sharing.threshold}); "
            f"{reasons or 'no others came in time'}"
        )
