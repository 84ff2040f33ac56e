"""What both training runs of the tiny CLIP share: optimiser, averaged weights, saving."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn


def build_optimizer(parameters: list[nn.Parameter], weight_decay: float) -> torch.optim.AdamW:
    """AdamW; biases, norms and the temperature are not decayed. Each step sets its own rate."""
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, betas=(0.9, 0.98), fused=True)


def update(
    optimizer: torch.optim.AdamW, parameters: list[nn.Parameter], loss: Tensor, rate: float
) -> None:
    """One step down the loss at a learning rate, gradients clipped to length 1."""
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()


@torch.no_grad()
def update_average(
    average: list[Tensor], parameters: list[nn.Parameter], ema: float, step: int
) -> None:
    """Move the averaged weights, in place; early steps count for more."""
    weight = 1 - min(ema, (step + 1) / (step + 10))
    towards: list[Tensor] = list(parameters)
    torch._foreach_lerp_(average, towards, weight)


def save_state(state: dict[str, Any], path: Path) -> None:
    """A run killed while saving keeps the older file."""
    temporary = path.with_suffix(".tmp")
    torch.save(state, temporary)
    temporary.replace(path)
