"""IDX files, in which MNIST and its kin are published (Yann LeCun's format), gzipped or not."""

import gzip
import zlib
from pathlib import Path

import numpy as np

from fedmvp_core.errors import DataError

IMAGES, LABELS = 0x0803, 0x0801  # magic numbers: unsigned bytes in three dimensions, in one
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
        raw = path.read_bytes()
        data = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"IDX file '{path}' cannot be read: {error}") from error
    found = int.from_bytes(data[:4], "big")
    if found != magic:
        of = _KINDS.get(found, f"neither pictures nor labels (magic number {found:#x})")
        raise DataError(f"IDX file '{path}' holds {of}; allowed here: {_KINDS[magic]}")
    dimensions = magic & 0xFF
    start = 4 + 4 * dimensions
    shape = tuple(int.from_bytes(data[i : i + 4], "big") for i in range(4, start, 4))
    wanted = start + int(np.prod(shape))
    if len(data) != wanted:
        raise DataError(
            f"IDX file '{path}' has {len(data)} bytes; its header says {wanted}, for "
            f"{' x '.join(map(str, shape))} {_KINDS[magic]}: it was cut short or damaged"
        )
    return np.frombuffer(data, dtype=np.uint8, offset=start).reshape(shape)
