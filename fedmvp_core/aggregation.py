"""Averages of prompt tensors."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor


def weighted_mean(updates: Iterable[tuple[Mapping[str, Tensor], float]]) -> dict[str, Tensor]:
    """Each tensor's weighted mean over the updates that hold it.

    Running sums in float64, so memory does not grow with the cohort and one update alone comes out
    bit for bit as it went in. Clients in different phases send different tensors.

    updates: (tensors, weight above 0). Returns: tensors of the type that came in.
    """
    sums: dict[str, Tensor] = {}
    weights: dict[str, float] = {}
    types: dict[str, torch.dtype] = {}
    for tensors, weight in updates:
        for name, value in tensors.items():
            if name not in sums:
                sums[name] = torch.zeros(value.shape, dtype=torch.float64)
                weights[name], types[name] = 0.0, value.dtype
            sums[name].add_(value.to(torch.float64), alpha=weight)
            weights[name] += weight
    return {name: (total / weights[name]).to(types[name]) for name, total in sums.items()}
