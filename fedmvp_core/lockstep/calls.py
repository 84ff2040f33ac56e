"""The calls that clients in lock step make as one: forwards of the backbone, and gradients.

A client alone makes them as if none of this were here. Clients share no parameter, so the gradient
of the sum of their losses holds each one's own.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

from fedmvp_core.errors import LockstepError
from fedmvp_core.lockstep.jobs import Request, ask, takes_part

# A forward is made before any gradient: a gradient lets go of the graph that it went through.
_FORWARD, _GRADIENT, _BACKWARD = range(3)
_BY_ITSELF = (
    "a client takes a gradient by itself, which would lose those of the others; its code must take "
    "it with fedmvp_core.lockstep.calls, or clients-per-batch be 1"
)


def forward(kind: Hashable, run: Callable[..., Tensor], rows: Sequence[Tensor]) -> Tensor:
    """run(*rows), in one call for all clients that are at this one.

    Args:
        kind: what makes `run` of two clients the same function.
        run: tensors of n rows -> (n, ...), each row from the same row of each tensor alone.
        rows: tensors of equally many rows, at least one.
    """
    if not takes_part():
        return run(*rows)
    shapes = tuple((t.shape[1:], t.dtype, t.device, t.requires_grad) for t in rows)
    graph = torch.is_grad_enabled()
    answer = partial(_forward, run, graph)
    found: Tensor = ask(Request(_FORWARD, (kind, shapes, graph), answer, rows))
    return found


def backward(loss: Tensor) -> None:
    """loss.backward(); `loss`: a scalar."""
    if takes_part() and loss.requires_grad:
        ask(Request(_BACKWARD, "backward", _backward, loss))
    else:
        loss.backward()


def gradient(value: Tensor, of: Tensor) -> Tensor | None:
    """The gradient of a scalar with respect to a tensor, shaped as this; None: it has none.

    No parameter's .grad is touched.
    """
    if takes_part() and value.requires_grad:
        found: Tensor | None = ask(Request(_GRADIENT, "gradient", _gradients, (value, of)))
        return found
    return torch.autograd.grad(value, of, allow_unused=True)[0]


def _forward(
    run: Callable[..., Tensor], graph: bool, rows: list[Sequence[Tensor]]
) -> Sequence[Tensor]:
    """Of the clients, in their order. graph: whether there is to be one, as they have it."""
    with torch.set_grad_enabled(graph):
        if len(rows) == 1:
            return [run(*rows[0])]
        joined = run(*(torch.cat(parts) for parts in zip(*rows, strict=True)))
        sizes = [len(of_one[0]) for of_one in rows]
        parts: tuple[Tensor, ...] = _Parts.apply(joined, sizes)
        return parts


def _backward(losses: list[Tensor]) -> list[None]:
    with _of_all():
        torch.autograd.backward(losses)
    return [None] * len(losses)


def _gradients(pairs: list[tuple[Tensor, Tensor]]) -> Sequence[Tensor | None]:
    values, tensors = zip(*pairs, strict=True)
    with _of_all():
        # Kept: a client whose code went another way may need the rest of a graph that it shares.
        return torch.autograd.grad(values, tensors, allow_unused=True, retain_graph=True)


class _Parts(torch.autograd.Function):
    """Rows -> a tensor for each client; refuses a gradient that is not of all of them."""

    of_all = False  # whether such a gradient is under way: in the process, whatever its threads

    @staticmethod
    def forward(ctx: FunctionCtx, joined: Tensor, sizes: Sequence[int]) -> tuple[Tensor, ...]:
        return tuple(part.clone() for part in joined.split(list(sizes)))

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Any) -> tuple[Tensor, None]:
        if not _Parts.of_all:
            raise LockstepError(_BY_ITSELF)
        return torch.cat(gradients), None


@contextmanager
def _of_all() -> Iterator[None]:
    _Parts.of_all = True
    try:
        yield
    finally:
        _Parts.of_all = False
