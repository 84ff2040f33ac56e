"""Aggregations by name, and updates of a few numbers for them."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from run_configs import run_config
from torch import Tensor

from server_app.aggregation import ConfiguredAggregation, Rule, Update


def configured(name: str, *, config: Mapping[str, Any] | None = None, **options: Any) -> Any:
    """The aggregation with its options, in snake_case. config: other keys of the run."""
    single = {f"aggregation.{key}": value for key, value in options.items()}
    return ConfiguredAggregation(run_config(**{"aggregation": name, **(config or {}), **single}))


def rule_named(name: str, *, config: Mapping[str, Any] | None = None, **options: Any) -> Rule:
    """A fresh rule, see `configured`."""
    rule: Rule = configured(name, config=config, **options).rule()
    return rule


def random_updates(
    current: Mapping[str, Tensor], clients: int, seed: int, scale: float = 0.1
) -> list[Update]:
    """Updates around the current tensors; images, losses and tensors differ between clients."""
    draw = torch.Generator().manual_seed(seed)
    return [
        Update(
            i,
            {
                name: value + scale * torch.randn(value.shape, generator=draw, dtype=value.dtype)
                for name, value in current.items()
            },
            3 + i,
            {"train-loss": float(torch.rand((), generator=draw)) + 0.1},
        )
        for i in range(clients)
    ]


def mean_change(updates: Sequence[Update], current: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Name -> the unweighted mean of what the updates changed, in float64."""
    return {
        name: torch.stack([u.tensors[name].double() - value.double() for u in updates]).mean(dim=0)
        for name, value in current.items()
    }
