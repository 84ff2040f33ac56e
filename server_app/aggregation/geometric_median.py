"""The geometric median of updates: RFA.

Robust Aggregation for Federated Learning (Pillutla et al., IEEE TSP 2022).

argmin_v sum_k w_k ||v - u_k||, by the smoothed Weiszfeld iteration of the paper's algorithm 1.
Liars with less than half of the weight cannot move it arbitrarily far.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from fedmvp_core.config.options import Annotated, Between, option
from server_app.aggregation.changes import ChangeArray, Piece, pieces_at_once
from server_app.aggregation.flower_rule import groups
from server_app.aggregation.updates import Aggregation, AggregationContext, Rule, Update


@dataclass(frozen=True)
class GeometricMedianOptions:
    """The paper's: 4 iterations, 1e-6."""

    iterations: Annotated[int, Between(1, 1000)] = option(4, "of Weiszfeld's algorithm")
    smoothing: Annotated[float, Between(1e-12)] = option(1e-6, "distances count as this at least")


def geometric_median_rule(options: GeometricMedianOptions, context: AggregationContext) -> Rule:
    """The median of each group of tensors that the same clients sent, in float64."""

    def rule(updates: Sequence[Update], current: Mapping[str, Tensor]) -> dict[str, Tensor]:
        changed: dict[str, Tensor] = {}
        for names, senders in groups(updates):
            pieces = pieces_at_once(names, current, len(senders))
            parts = [partial(_changes, senders, piece, current[piece.name]) for piece in pieces]
            weights = torch.tensor([context.weight(u) for u in senders], dtype=torch.float64)
            median = weiszfeld(parts, weights, options.iterations, options.smoothing)
            for name in names:
                own = [m for m, piece in zip(median, pieces, strict=True) if piece.name == name]
                value = current[name]
                moved = value.double() + torch.cat(own).view(value.shape)
                changed[name] = moved.to(value.dtype)
        return changed

    return rule


def weiszfeld(
    parts: Sequence[Callable[[], Tensor]], weights: Tensor, iterations: int, smoothing: float
) -> list[Tensor]:
    """Near the geometric median of n points, from their mean on.

    parts: each gives some coordinates of all points, (n, d_i), whenever it is asked, so that one of
    them is in memory at a time. weights: (n,). Given are the parts of the median, (d_i,).
    """
    median = [weights @ points() / weights.sum() for points in parts]
    for _ in range(iterations):
        squared = torch.zeros_like(weights)
        for points, middle in zip(parts, median, strict=True):
            squared += (points() - middle).square().sum(dim=1)
        near = weights / squared.sqrt().clamp(min=smoothing)
        median = [near @ points() / near.sum() for points in parts]
    return median


def _changes(senders: Sequence[Update], piece: Piece, current: Tensor) -> Tensor:
    """(n, d_i): what each client changed of a piece."""
    changes = [ChangeArray(update, piece, current).numpy().reshape(-1) for update in senders]
    return torch.from_numpy(np.stack(changes))


geometric_median = Aggregation(
    "geometric-median",
    "RFA (Pillutla et al., IEEE TSP 2022)",
    geometric_median_rule,
    GeometricMedianOptions,
)
