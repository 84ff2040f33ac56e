"""Auto-PGD's climb: Algorithm 1 of Croce & Hein (ICML 2020)."""

import math
from dataclasses import dataclass, fields
from typing import Self

import torch
from torch import Tensor

from fedmvp_core.adversarial.inputs import LogitsFunction
from fedmvp_core.adversarial.losses import Loss
from fedmvp_core.adversarial.perturbation import (
    all_finite,
    input_gradient,
    refuse_non_finite,
    warn_of_vanished,
)
from fedmvp_core.adversarial.worst_case import WorstCase, see_last

MOMENTUM = 0.75  # alpha in the paper
ENOUGH_INCREASES = 0.75  # rho: a smaller share of steps that climbed halves the step size


def checkpoints(steps: int) -> list[int]:
    """The steps at which the step size may be halved: ceil(p_j steps), section 3.1."""
    previous, percent = 0, 22  # whole numbers: 0.22 + 0.19 is not 0.41
    found = []
    while percent <= 100:
        found.append(math.ceil(percent * steps / 100))
        previous, percent = percent, percent + max(percent - previous - 3, 6)
    return sorted(set(found))


@dataclass
class State:
    """Of k images: everything is indexed by image, so broken ones can be dropped."""

    rows: Tensor  # (k,), their place in the whole batch
    current: Tensor  # (k, 3, h, w), as the next five
    previous: Tensor
    best: Tensor
    best_gradient: Tensor
    lower: Tensor
    upper: Tensor
    labels: Tensor
    reference: Tensor
    step_size: Tensor  # (k, 1, 1, 1)
    last_loss: Tensor  # (k,), as the rest
    best_loss: Tensor
    best_loss_before: Tensor  # at the checkpoint before
    halved_before: Tensor  # bool
    increases: Tensor  # since the checkpoint before

    def keep(self, kept: Tensor) -> Self:
        """Only the images at which kept (k,) is True."""
        return type(self)(**{field.name: getattr(self, field.name)[kept] for field in fields(self)})

    @classmethod
    def begin(
        cls,
        epsilon: float,
        rows: Tensor,
        start: Tensor,
        lower: Tensor,
        upper: Tensor,
        labels: Tensor,
        reference: Tensor,
    ) -> Self:
        """Before the first step, with steps of 2 epsilon."""
        lowest = start.new_full((len(start),), -math.inf)
        return cls(
            rows=rows,
            current=start,
            previous=start,
            best=start,
            best_gradient=torch.zeros_like(start),
            lower=lower,
            upper=upper,
            labels=labels,
            reference=reference,
            step_size=start.new_full((len(start), 1, 1, 1), 2 * epsilon),
            last_loss=lowest,
            best_loss=lowest,
            best_loss_before=lowest,
            halved_before=torch.ones_like(rows, dtype=torch.bool),
            increases=torch.zeros_like(rows),
        )


def ascend(
    logits_of: LogitsFunction, loss_of: Loss, worst: WorstCase, state: State, steps: int, name: str
) -> None:
    """Algorithm 1 of the paper, on the images of `state`."""
    turns = checkpoints(steps)
    last_turn = 0
    finite = torch.ones((), dtype=torch.bool, device=state.rows.device)
    for step in range(steps):
        gradient, values, logits = input_gradient(
            logits_of, loss_of, state.current, state.labels, state.reference
        )
        if step == 0:
            warn_of_vanished(gradient, name)
        finite &= all_finite(gradient, values, logits)
        worst.see(state.rows, state.current, logits)
        _note(state, gradient, values, count=step > 0)
        if step in turns:
            gradient = _turn(state, gradient, step - last_turn)
            last_turn = step
            kept = torch.isin(state.rows, worst.unfinished())
            state, gradient = state.keep(kept), gradient[kept]
            if not len(state.rows):
                break
        _move(state, gradient, momentum=MOMENTUM if step else 1.0)
    refuse_non_finite(finite, name)
    if len(state.rows):
        see_last(logits_of, worst, state.rows, state.current, name)


def _note(state: State, gradient: Tensor, values: Tensor, count: bool) -> None:
    """Remember the best point so far, and count the steps that climbed."""
    if count:
        state.increases = state.increases + (values > state.last_loss)
    state.last_loss = values
    better = values > state.best_loss
    wide = better.view(-1, 1, 1, 1)
    state.best = torch.where(wide, state.current, state.best)
    state.best_gradient = torch.where(wide, gradient, state.best_gradient)
    state.best_loss = torch.where(better, values, state.best_loss)


def _turn(state: State, gradient: Tensor, steps: int) -> Tensor:
    """At a checkpoint: halve the step and go back to the best point where the climb stalled.

    Stalled: too few of the last `steps` climbed, or neither the step size nor the best loss changed
    since the checkpoint before. Returns the gradient at the points held afterwards.
    """
    unchanged = ~state.halved_before & (state.best_loss == state.best_loss_before)
    stalled = (state.increases < ENOUGH_INCREASES * steps) | unchanged
    wide = stalled.view(-1, 1, 1, 1)
    state.step_size = torch.where(wide, state.step_size / 2, state.step_size)
    state.current = torch.where(wide, state.best, state.current)
    state.halved_before, state.best_loss_before = stalled, state.best_loss
    state.increases = torch.zeros_like(state.increases)
    return torch.where(wide, state.best_gradient, gradient)


def _move(state: State, gradient: Tensor, momentum: float) -> None:
    """A signed step, mixed with the move before it; momentum 1 takes none of that."""
    lower, upper, current = state.lower, state.upper, state.current
    stepped = torch.clamp(current + state.step_size * gradient.sign(), lower, upper)
    mixed = current + momentum * (stepped - current) + (1 - momentum) * (current - state.previous)
    state.previous, state.current = current, torch.clamp(mixed, lower, upper)
