"""The pixels of picture files, decoded when they are first asked for.

Decoded pixels are kept in the cache folder, one file for each set of pictures that was asked for,
and are memory-mapped from there: no client decodes a picture twice, nor holds one that is not used.
"""

import hashlib
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import TypeAlias, TypeVar

import numpy as np
import torch
from torch import Tensor

from fedmvp_core.data.pixels.pictures import load_picture
from fedmvp_core.disk import replace_file

Pixels: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
Result = TypeVar("Result")
DECODING = 2  # in the cache's keys: raised when the same file is decoded to other pixels
AT_ONCE = 256  # pictures that are decoded before the first of them is put away
logger = logging.getLogger(__name__)


@dataclass
class PictureFiles:
    """Pictures that are not decoded before `read`, and parts of which can be had without it.

    image_size: side of the decoded pictures. folder: where decoded pixels are kept; None: nowhere.
    cut_from: the files that these were selected from, and at which positions.
    """

    paths: tuple[Path, ...]
    image_size: int
    folder: Path | None
    cut_from: "tuple[PictureFiles, Tensor] | None" = None
    _pixels: Tensor | None = None

    def __len__(self) -> int:
        return len(self.paths)

    def select(self, indices: Tensor) -> "PictureFiles":
        """The files at `indices` ((k,) int64), in that order."""
        chosen = tuple(self.paths[i] for i in indices.tolist())
        return PictureFiles(chosen, self.image_size, self.folder, (self, indices))

    def read(self) -> Tensor:
        """(n, 3, image_size, image_size) uint8; writing to it does not change the cached file.

        Pixels that were read before, here or as part of what these files were cut from, are not
        decoded again.

        Raises:
            DataError: a file is missing, or is no picture; the first such is named.
        """
        pixels = self._decoded()
        if pixels is None:
            pixels = self._pixels = read_pixels(self.paths, self.image_size, self.folder)
        return pixels

    def _decoded(self) -> Tensor | None:
        if self._pixels is not None or self.cut_from is None:
            return self._pixels
        whole, indices = self.cut_from
        pixels = whole._decoded()
        # Not kept: the copy would stay in memory, while the whole is mapped from a file.
        return None if pixels is None else take_rows(pixels, indices)


def take_rows(pixels: Tensor, indices: Tensor) -> Tensor:
    """pixels[indices], as a view where the indices are a run of neighbours, else as a copy."""
    if len(indices) and bool((indices.diff() == 1).all()):
        return pixels[int(indices[0]) : int(indices[-1]) + 1]
    return pixels[indices]


def read_pixels(paths: Sequence[Path], image_size: int, folder: Path | None) -> Tensor:
    """Pixels of the files, from the cache folder if they are there; else decoded, and put there.

    A folder that cannot be written, or a full disk, is a warning: the pixels are kept in memory.

    Returns: (n, 3, image_size, image_size) uint8.
    Raises:
        DataError: see PictureFiles.read.
    """
    shape = (len(paths), 3, image_size, image_size)
    if folder is not None and paths:
        file = folder / f"{files_key(paths, image_size)}.npy"
        mapped = _mapped(file, shape)
        if mapped is None:
            logger.info("decoding %d pictures into %s", len(paths), file)
            kept = keep(file, lambda temporary: _save(temporary, paths, image_size))
            mapped = _mapped(file, shape) if kept else None
        if mapped is not None:
            return torch.from_numpy(mapped)
    pixels = torch.empty(shape, dtype=torch.uint8)
    for row, picture in enumerate(_decode(paths, image_size)):
        pixels[row] = picture
    return pixels


def in_threads(function: Callable[[Path], Result], paths: Sequence[Path]) -> Iterator[Result]:
    """function(path) of each path in order, a few at a time: Pillow decodes outside Python's lock.

    As many threads as torch uses, which is what Ray gave to this process.
    """
    remaining = iter(paths)
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        while batch := list(islice(remaining, AT_ONCE)):
            yield from pool.map(function, batch)


def files_key(paths: Sequence[Path], image_size: int) -> str:
    """Changes with the size, with DECODING, and with a picture added, removed, moved, rewritten."""
    digest = hashlib.sha256(f"{DECODING} {image_size}".encode())
    for path in paths:
        try:
            stat = path.stat()
            state = f"{stat.st_size} {stat.st_mtime_ns}"
        except OSError:
            state = "missing"  # said by whoever opens it
        digest.update(os.fsencode(os.path.abspath(path)) + f"\0{state}\0".encode())
    return digest.hexdigest()[:32]


def keep(file: Path, write: Callable[[Path], None]) -> bool:
    """Write a file of the cache whole, or not at all: then a warning is given once, and False."""
    try:
        replace_file(file, write)
    except OSError as error:
        _warn_once(file.parent, error.strerror or str(error))
        return False
    return True


@cache
def _warn_once(folder: Path, reason: str) -> None:
    logger.warning("nothing is cached: '%s' cannot be written: %s", folder, reason)


def _decode(paths: Sequence[Path], image_size: int) -> Iterator[Tensor]:
    return in_threads(partial(load_picture, size=image_size), paths)


def _save(temporary: Path, paths: Sequence[Path], image_size: int) -> None:
    """Picture by picture, so that no set has to fit into memory."""
    shape = (len(paths), 3, image_size, image_size)
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    with temporary.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for picture in _decode(paths, image_size):
            file.write(picture.numpy().data)


def _mapped(file: Path, shape: tuple[int, ...]) -> Pixels | None:
    """The cached pixels, copied only where they are written to, or None if they cannot be used."""
    try:
        mapped = np.lib.format.open_memmap(file, mode="c")
    # What NumPy raises of bytes that are no array is not documented; all of it means the same.
    except Exception:
        return None
    return mapped if mapped.shape == shape and mapped.dtype == np.uint8 else None
