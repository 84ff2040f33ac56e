"""Flower's robust strategies over prompt tensors by name.

Flower's own classes choose and average; what they are given are the checked updates, as differences
from the tensors that were sent. All five rules commute with a shift, so nothing changes but the
rounding: Flower takes distances from squared norms, in which small differences of large tensors
would be lost.

Clients of different phases send different tensors, so a rule is applied to each group of tensors
that the same clients sent. The number of liars to withstand is that of the whole round, for all of
them may be in one group; a group too small for it is left as it was.
"""

import gc
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import torch
from flwr.app import Array, ArrayRecord, Message, MessageType, MetricRecord, RecordDict
from flwr.serverapp.strategy import Bulyan, FedAvg, FedMedian, FedTrimmedAvg, Krum, MultiKrum
from torch import Tensor

from fedmvp_core import protocol
from fedmvp_core.config import RunConfig
from fedmvp_core.json_logs import logger
from server_app.aggregation.cohort_size import FEWEST, malicious_clients
from server_app.aggregation.updates import Aggregate, TooFewUpdatesError, Update

# From f, the liars to withstand, and n, the updates at hand.
_Make: TypeAlias = Callable[[int, int], FedAvg]


def fedmedian(config: RunConfig) -> Aggregate:
    """The median of each number (Yin et al. 2018)."""
    return _robust("fedmedian", config, lambda f, n: FedMedian())


def fedtrimmedavg(config: RunConfig) -> Aggregate:
    """The mean of each number without the f lowest and the f highest (Yin et al. 2018)."""
    # Flower cuts int(beta * n) at either end; the quarter keeps that at f whatever the rounding.
    return _robust(
        "fedtrimmedavg", config, lambda f, n: FedTrimmedAvg(beta=(f + 0.25) / n if f else 0.0)
    )


def krum(config: RunConfig) -> Aggregate:
    """The one update that is nearest to its n - f - 2 nearest others (Blanchard et al. 2017)."""
    return _robust("krum", config, lambda f, n: Krum(num_malicious_nodes=f))


def multikrum(config: RunConfig) -> Aggregate:
    """The mean of the `selected-clients` updates that Krum puts first; 0: of n - f."""

    def make(f: int, n: int) -> FedAvg:
        selected = min(config.federation.selected_clients, n) or n - f
        return MultiKrum(num_malicious_nodes=f, num_nodes_to_select=selected)

    return _robust("multikrum", config, make)


def bulyan(config: RunConfig) -> Aggregate:
    """Of the n - 2f updates that Krum puts first, the n - 4f nearest to the median of each number.

    El Mhamdi et al. 2018; Flower takes the n - 2f at once, where the paper takes them one by one.
    """
    return _robust("bulyan", config, lambda f, n: Bulyan(num_malicious_nodes=f))


def _robust(name: str, config: RunConfig, make: _Make) -> Aggregate:
    def aggregate(updates: Sequence[Update], current: Mapping[str, Tensor]) -> dict[str, Tensor]:
        liars = malicious_clients(config, len(updates))
        needed = FEWEST[name](liars)
        changed: dict[str, Tensor] = {}
        for names, senders in _groups(updates):
            if len(senders) < needed:
                logger.warning(
                    "%s needs %d updates to withstand %d, %d clients sent '%s' and others of "
                    "their phase; these stay as they are",
                    *(name, needed, liars, len(senders), names[0]),
                )
                continue
            strategy = make(liars, len(senders))
            changed |= _aggregated(strategy, names, senders, current, config.federation.weighting)
        if not changed:
            raise TooFewUpdatesError(
                f"strategy '{name}' needs {needed} updates to withstand {liars} "
                f"(malicious-share {config.federation.malicious_share:g}), and there are {len(updates)}"
            )
        return changed

    return aggregate


def _groups(updates: Sequence[Update]) -> list[tuple[list[str], list[Update]]]:
    """Names of tensors with the updates that hold them: one group for each set of senders."""
    holders: dict[str, list[int]] = {}
    for position, update in enumerate(updates):
        for name in update.tensors:
            holders.setdefault(name, []).append(position)
    groups: dict[tuple[int, ...], list[str]] = {}
    for name, positions in holders.items():
        groups.setdefault(tuple(positions), []).append(name)
    return [(names, [updates[at] for at in positions]) for positions, names in groups.items()]


def _aggregated(
    strategy: FedAvg,
    names: Sequence[str],
    senders: Sequence[Update],
    current: Mapping[str, Tensor],
    weighting: str,
) -> dict[str, Tensor]:
    """What Flower's strategy makes of some tensors, added to those that were sent."""
    replies = []
    for update in senders:
        changes = {
            n: Array(np.asarray(update.tensors[n].double() - current[n].double())) for n in names
        }
        weight = 1.0 if weighting == "uniform" else float(update.num_examples)
        content = RecordDict(
            {
                protocol.PROMPTS: ArrayRecord(changes),
                protocol.METRICS: MetricRecord({protocol.NUM_EXAMPLES: weight}),
            }
        )
        replies.append(Message(content, dst_node_id=1, message_type=MessageType.TRAIN))
    # Flower's Bulyan collects garbage once a reply, which takes longer than all the rest where all
    # that PyTorch and others hold is looked through each time.
    gc.freeze()
    try:
        with np.errstate(all="raise", under="ignore"):
            record, _ = strategy.aggregate_train(1, replies)
    finally:
        gc.unfreeze()
    assert record is not None, "the number of updates was checked"
    return {
        name: (current[name].double() + torch.from_numpy(np.asarray(record[name].numpy()))).to(
            current[name].dtype
        )
        for name in names
    }
