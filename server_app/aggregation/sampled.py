"""Some of the numbers that clients send, drawn once or anew, for rules that look at few of them."""

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from server_app.aggregation.kept import part_of
from server_app.aggregation.updates import Update


def drawn_coordinates(
    names: Sequence[str], current: Mapping[str, Tensor], most: int, draw: torch.Generator
) -> dict[str, Tensor]:
    """Name -> positions in the flattened tensor, sorted; at most `most` in all, drawn uniformly.

    The draw depends on the tensors' sizes in the order of the names, not on who sends them.
    """
    sizes = [current[name].numel() for name in names]
    total = sum(sizes)
    chosen = torch.randperm(total, generator=draw)[:most] if total > most else torch.arange(total)
    found, start = {}, 0
    for name, size in zip(names, sizes, strict=True):
        own = chosen[(chosen >= start) & (chosen < start + size)] - start
        found[name] = own.sort().values
        start += size
    return found


def changes_at(
    updates: Sequence[Update], current: Mapping[str, Tensor], at: Mapping[str, Tensor]
) -> Tensor:
    """(updates, d) float64: what each client changed at some coordinates; 0 where it sent none."""
    return torch.stack([torch.cat([*_changed(update, current, at)]) for update in updates])


def _changed(
    update: Update, current: Mapping[str, Tensor], at: Mapping[str, Tensor]
) -> Iterator[Tensor]:
    for name, rows in at.items():
        if name not in update.tensors:
            yield torch.zeros(len(rows), dtype=torch.float64)
            continue
        value = current[name]
        sent = part_of(update.tensors, name, 0, value.numel())[rows].double()
        yield sent - value.reshape(-1)[rows].double()


def furthest_left_out(scores: Tensor, count: int) -> list[int]:
    """Positions without the `count` of highest score, in their order."""
    kept = scores.argsort(stable=True)[: len(scores) - count]
    return sorted(kept.tolist())
