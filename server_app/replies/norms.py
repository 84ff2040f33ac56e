"""Checks of a round's updates against each other, when each is sound by itself."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from fedmvp_core.terms.term import PREFIX
from server_app.aggregation import Update

# With fewer updates a median says nothing about who is the odd one out.
FEWEST_FOR_MEDIAN = 3
# A cohort that hardly moves has a median near 0, of which any other update is many times the size.
SMALLEST_NORM = 1e-6


@dataclass(frozen=True)
class Refusal:
    """Why a reply does not count: a kind, which is counted, and a sentence, which is logged."""

    kind: str
    reason: str


def reasons_of(refused: Sequence[Refusal]) -> str:
    """Each sentence once, joined; nothing where nothing was refused."""
    return "; ".join(dict.fromkeys(refusal.reason for refusal in refused))


def update_norm(update: Update, current: Mapping[str, Tensor]) -> float:
    """L2 norm of what a client changed of the prompt tensors that it sent, over all of them."""
    norms = [
        torch.linalg.vector_norm(value - current[name], dtype=torch.float64)
        for name, value in update.tensors.items()
        if not name.startswith(PREFIX)
    ]
    return float(torch.linalg.vector_norm(torch.stack(norms)))


def too_long(
    updates: Sequence[Update], current: Mapping[str, Tensor], times: float
) -> dict[int, Refusal]:
    """Partition ids of the updates whose norm is above `times` the median; times 0: none.

    Norms are compared among the updates of the same tensors, for phases differ in their lengths;
    where these are fewer than three, with all updates of as many numbers or more. An update of more
    numbers than nearly all others, from a client that is last to train them, is not compared. A
    client with k times the median's images takes k times the steps, and may move k times as far.
    Lies that are no longer than honest updates pass: the robust strategies are for them.
    """
    if times == 0 or len(updates) < FEWEST_FOR_MEDIAN:
        return {}
    norms = {u.partition_id: update_norm(u, current) for u in updates}
    # One for each set of tensors that is sent, however many clients send it.
    usual: dict[frozenset[str], _Medians | None] = {}
    refused = {}
    for update in updates:
        sent = frozenset(update.tensors)
        if sent not in usual:
            usual[sent] = _medians(_peers(update, updates, current), norms)
        peers = usual[sent]
        if peers is None:
            continue
        norm = norms[update.partition_id]
        more = max(1.0, update.num_examples / peers.images)
        if norm > max(times * more * peers.norm, SMALLEST_NORM):
            for_more = f", and {more:.3g} times for its {update.num_examples} images"
            refused[update.partition_id] = Refusal(
                "norm",
                f"client {update.partition_id}: its update has norm {norm:.4g}, the median is "
                f"{peers.norm:.4g}; allowed: {times:g} times that (max-update-norm)"
                f"{for_more if more > 1 else ''}",
            )
    return refused


class _Medians(NamedTuple):
    """Medians over updates that are compared: of their norms, and of their numbers of images."""

    norm: float
    images: float


def _medians(peers: Sequence[Update], norms: Mapping[int, float]) -> _Medians | None:
    """None: they are too few to say who is the odd one out."""
    if len(peers) < FEWEST_FOR_MEDIAN:
        return None
    return _Medians(
        statistics.median(norms[peer.partition_id] for peer in peers),
        statistics.median(peer.num_examples for peer in peers),
    )


def _peers(
    update: Update, updates: Sequence[Update], current: Mapping[str, Tensor]
) -> Sequence[Update]:
    """The updates of the same tensors, or, where these are few, those of as many numbers."""
    same = [u for u in updates if u.tensors.keys() == update.tensors.keys()]
    if len(same) >= FEWEST_FOR_MEDIAN:
        return same
    return [u for u in updates if _numbers(u, current) >= _numbers(update, current)]


def _numbers(update: Update, current: Mapping[str, Tensor]) -> int:
    return sum(current[name].numel() for name in update.tensors)
