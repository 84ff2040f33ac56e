"""IDX files, in which MNIST and its kin are published (Yann LeCun's format), gzipped or not."""

import gzip
import math
import zlib
from pathlib import Path
from typing import IO, cast

import numpy as np

from fedmvp_core.errors import DataError

IMAGES, LABELS = 0x0803, 0x0801  # magic numbers: unsigned bytes in three dimensions, in one
_AT_ONCE = 2**20  # bytes
_KINDS = {IMAGES: "pictures", LABELS: "labels"}


def read_images(path: Path) -> np.ndarray:
    """(n, height, width) uint8; raises DataError as `_read`."""
    return _read(path, IMAGES)


def read_labels(path: Path) -> np.ndarray:
    """(n,) uint8; raises DataError as `_read`."""
    return _read(path, LABELS)


def _read(path: Path, magic: int) -> np.ndarray:
    """The array of one file.

    Raises:
        DataError: the file is missing, damaged, of another kind, or has more or fewer bytes than
            its header says.
    """
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            if not packed:
                return _array(path, magic, file)
            with gzip.open(file) as unpacked:
                return _array(path, magic, cast(IO[bytes], unpacked))
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"IDX file '{path}' cannot be read: {error}") from error


def _array(path: Path, magic: int, file: IO[bytes]) -> np.ndarray:
    """The array of an opened file; raises DataError as `_read`."""
    found = int.from_bytes(file.read(4), "big")
    if found != magic:
        of = _KINDS.get(found, f"neither pictures nor labels (magic number {found:#x})")
        raise DataError(f"IDX file '{path}' holds {of}; allowed here: {_KINDS[magic]}")
    lengths = file.read(4 * (magic & 0xFF))
    if len(lengths) < 4 * (magic & 0xFF):
        raise DataError(f"IDX file '{path}' ends within its header: it was cut short or damaged")
    shape = tuple(int.from_bytes(lengths[i : i + 4], "big") for i in range(0, len(lengths), 4))
    wanted = math.prod(shape)  # whole numbers of any size: NumPy's would run over
    data = _up_to(file, wanted + 1)
    if len(data) != wanted:
        header = 4 + 4 * len(shape)
        held = f"more than {header + wanted}" if len(data) > wanted else header + len(data)
        raise DataError(
            f"IDX file '{path}' has {held} bytes; its header says {header + wanted}, for "
            f"{' x '.join(map(str, shape))} {_KINDS[magic]}: it was cut short or damaged"
        )
    return np.frombuffer(data, dtype=np.uint8).reshape(shape)


def _up_to(file: IO[bytes], most: int) -> bytes:
    """At most so many bytes, and never memory for more than there are.

    A small file can unpack to any number of bytes; no more are unpacked than the header names.
    """
    parts = []
    while most > 0 and (part := file.read(min(most, _AT_ONCE))):
        parts.append(part)
        most -= len(part)
    return b"".join(parts)
