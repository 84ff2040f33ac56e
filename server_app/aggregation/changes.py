"""What a client changed, for Flower's strategies: computed when they ask for the numbers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from flwr.app import Array
from numpy.typing import NDArray
from torch import Tensor

from server_app.aggregation.kept import part_of
from server_app.aggregation.updates import Update

NUMBERS_AT_ONCE = 2**18  # of all updates together, where tensors are taken in parts


@dataclass(frozen=True)
class Piece:
    """Some of a tensor's numbers, flattened, under a name of their own; or the whole, as it is."""

    key: str
    name: str
    shape: tuple[int, ...]
    start: int
    stop: int


def pieces_of(name: str, value: Tensor, most: int | None) -> list[Piece]:
    """A tensor as one piece, or as several of at most about `most` numbers and never one alone.

    NumPy adds up a single column in another order than one of many.
    """
    numbers = value.numel()
    if most is None or numbers <= most:
        return [Piece(name, name, tuple(value.shape), 0, numbers)]
    count = min(-(-numbers // most), numbers // 2)
    ends = [numbers * i // count for i in range(count + 1)]
    return [Piece(f"{name}@{a}", name, (b - a,), a, b) for a, b in pairwise(ends)]


def pieces_at_once(
    names: Iterable[str], current: Mapping[str, Tensor], updates: int
) -> list[Piece]:
    """Pieces of some tensors, small enough to hold one of them of so many updates."""
    most = max(2, NUMBERS_AT_ONCE // updates)
    return [piece for name in names for piece in pieces_of(name, current[name], most)]


class ChangeArray(Array):
    """What a client changed of a piece, in float64; computed anew whenever its numbers are read."""

    def __init__(self, update: Update, piece: Piece, current: Tensor) -> None:
        super().__init__(dtype="float64", shape=piece.shape, stype="numpy.ndarray", data=b"")
        self._update, self._piece, self._current = update, piece, current

    def numpy(self) -> NDArray[np.float64]:
        """The numbers, in an array that may be written to."""
        name, start, stop = self._piece.name, self._piece.start, self._piece.stop
        now = part_of(self._update.tensors, name, start, stop).double()
        change = now - self._current.reshape(-1)[start:stop].double()
        return np.asarray(change.reshape(self._piece.shape))
