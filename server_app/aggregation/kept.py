"""The tensors of a round's updates: a few in memory, the others in a file without a name.

A round's updates are needed twice: their norms are compared with each other, then they are
aggregated. Between the two they lie here, so that the server's memory does not grow with the
cohort.
"""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Self, cast

import torch
from torch import Tensor

IN_MEMORY = 8 * 2**20  # bytes of a round's updates; small federations touch no disk


class UpdatesFile:
    """Keeps updates of one round until it is left; no end of the process leaves its file."""

    def __init__(self, folder: Path, in_memory: int = IN_MEMORY) -> None:
        self._folder, self._room = folder, in_memory
        self._file: BinaryIO | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._file is not None:
            self._file.close()

    def keep(self, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The same names and numbers; those in the file are read anew whenever they are asked for.

        Raises:
            OSError: the disk is full.
        """
        self._room -= sum(value.nbytes for value in tensors.values())
        if self._room >= 0:
            return tensors
        if self._file is None:
            file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115
            self._file = cast(BinaryIO, file)
        places = {}
        for name, value in tensors.items():
            places[name] = self._file.tell(), value.dtype, value.shape
            self._file.write(_bytes_of(value.contiguous().reshape(-1)))
        self._file.flush()
        return TensorsInFile(self._file, places)


class TensorsInFile(Mapping[str, Tensor]):
    """Tensors of a file. places: name -> (offset in bytes, type, shape)."""

    def __init__(
        self, file: BinaryIO, places: Mapping[str, tuple[int, torch.dtype, torch.Size]]
    ) -> None:
        self._file, self._places = file, places

    def __getitem__(self, name: str) -> Tensor:
        shape = self._places[name][2]
        return self.part(name, 0, shape.numel()).reshape(shape)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def part(self, name: str, start: int, stop: int) -> Tensor:
        """(stop - start,): some of a tensor's numbers, read without the others."""
        offset, dtype, _ = self._places[name]
        numbers = torch.empty(stop - start, dtype=dtype)
        end = self._file.seek(0, 2)
        self._file.seek(offset + start * dtype.itemsize)
        self._file.readinto(_bytes_of(numbers))  # type: ignore[attr-defined]
        self._file.seek(end)  # where the next update is written
        return numbers


def part_of(tensors: Mapping[str, Tensor], name: str, start: int, stop: int) -> Tensor:
    """(stop - start,): some of a tensor's numbers, in the order of its flattened ones."""
    if isinstance(tensors, TensorsInFile):
        return tensors.part(name, start, stop)
    return tensors[name].reshape(-1)[start:stop]


def _bytes_of(numbers: Tensor) -> memoryview:
    """The memory of a contiguous tensor of one dimension."""
    array: Any = numbers.view(torch.uint8).numpy()
    return memoryview(array)
