"""A round of secure aggregation without messages and training: what its arithmetic takes."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from fedmvp_core.aggregation import weighted_mean
from fedmvp_core.privacy.mechanisms import clipped_update
from fedmvp_core.secure.masks import Words
from fedmvp_core.secure.neighbours import holders_of
from fedmvp_core.secure.party import Secrets, masked_words, opened_shares, sealed_shares
from fedmvp_core.secure.rounding import Scale, mean_of, words_of
from fedmvp_core.secure.unmasking import seed_of, unmask

CLIP = 50.0


def plain_mean(updates: list[dict[str, Tensor]]) -> Mapping[str, Tensor]:
    """What FedAvg makes of the updates of a round."""
    return weighted_mean((update, 1.0) for update in updates)


def secure_mean(updates: list[dict[str, Tensor]], holders: int) -> Mapping[str, Tensor]:
    """The same out of masked vectors, with all that clients and server do for it; nobody is gone.

    holders: of each client's shares, itself included.
    """
    clients, threshold = range(len(updates)), holders // 2 + 1
    secrets = [Secrets.drawn("bench", client) for client in clients]
    public = {client: secrets[client].public() for client in clients}
    ring = holders_of(list(clients), holders)
    keys = [{holder: public[holder] for holder in ring[client]} for client in clients]
    shared = [sealed_shares(secrets[i], keys[i], threshold) for i in clients]
    scale = Scale(CLIP, len(updates), 1)
    received = {name: torch.zeros_like(value) for name, value in updates[0].items()}
    total: Words = np.zeros(sum(t.numel() for t in received.values()) + 1, dtype=np.uint32)
    seeds: list[dict[int, bytes]] = []
    for i in clients:
        others = [holder for holder in ring[i] if holder != i]
        opened = opened_shares(
            secrets[i], keys[i], {other: shared[other][0][i] for other in others}
        )
        seeds.append({other: opened[other].seed for other in others} | {i: shared[i][1].seed})
        words = words_of(clipped_update(updates[i], received, CLIP), 1, scale)
        total += masked_words(secrets[i], keys[i], others, words)
    own = {
        i: seed_of(i, public[i], {at: seeds[h][i] for at, h in enumerate(ring[i], 1)})
        for i in clients
    }
    unmask(total, own, {}, public, ring)
    return mean_of(total, received, len(updates), scale)[0]
