"""The geometric median of updates: RFA.

Robust Aggregation for Federated Learning (Pillutla et al., IEEE TSP 2022).

argmin_v sum_k w_k ||v - u_k||, by the smoothed Weiszfeld iteration of the paper's algorithm 1.
Liars with less than half of the weight cannot move it arbitrarily far.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fedmvp_core.config.options import Annotated, Between, option
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
            moved = [_flat(update, names, current) for update in senders]
            weights = torch.tensor([context.weight(u) for u in senders], dtype=torch.float64)
            median = weiszfeld(torch.stack(moved), weights, options.iterations, options.smoothing)
            parts = median.split([current[name].numel() for name in names])
            for name, part in zip(names, parts, strict=True):
                value = current[name]
                changed[name] = (value.double() + part.view(value.shape)).to(value.dtype)
        return changed

    return rule


def weiszfeld(points: Tensor, weights: Tensor, iterations: int, smoothing: float) -> Tensor:
    """points: (n, d), weights: (n,) -> (d,): near their geometric median, from their mean on."""
    median = weights @ points / weights.sum()
    for _ in range(iterations):
        near = weights / (points - median).norm(dim=1).clamp(min=smoothing)
        median = near @ points / near.sum()
    return median


def _flat(update: Update, names: Sequence[str], current: Mapping[str, Tensor]) -> Tensor:
    """(d,): what a client changed of some tensors, one after the other."""
    return torch.cat([(update.tensors[n].double() - current[n].double()).flatten() for n in names])


geometric_median = Aggregation(
    "geometric-median",
    "RFA (Pillutla et al., IEEE TSP 2022)",
    geometric_median_rule,
    GeometricMedianOptions,
)
