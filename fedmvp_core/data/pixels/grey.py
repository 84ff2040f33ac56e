"""Grey pictures of 16 and 32 bits, whole numbers and floats, scaled to 8 bits.

Pillow would clip them at 255 instead: white or black pictures.
"""

import numpy as np
from PIL import Image

SIXTEEN_BITS, EIGHT_BITS = 65535, 255


def to_eight_bits(picture: Image.Image) -> Image.Image:
    """Of modes I;16, I or F to L; a PNG's transparent grey becomes white.

    16 bits are scaled by their range. What is kept in 32 bits has no range of its own: whole
    numbers up to 255 or up to 65535, and floats up to 1 or up to 255, are scaled by that.

    Raises:
        ValueError: NaN, infinite, negative or larger numbers.
    """
    values = np.asarray(picture)
    top = SIXTEEN_BITS if picture.mode.startswith("I;16") else _range(values)
    if "transparency" in picture.info and picture.mode.startswith("I;16"):
        values = np.where(values == picture.info["transparency"], top, values)
    scaled = values * (EIGHT_BITS / top) if top < EIGHT_BITS else values / (top / EIGHT_BITS)
    return Image.fromarray(scaled.round().astype(np.uint8))


def _range(values: np.ndarray) -> int:
    """The number that stands for white."""
    floats = values.dtype.kind == "f"
    if floats and not np.isfinite(values).all():
        raise ValueError("its numbers are NaN or infinite in places; allowed: finite ones")
    tops = (1, EIGHT_BITS) if floats else (EIGHT_BITS, SIXTEEN_BITS)
    low, high = values.min(), values.max()
    if low < 0 or high > tops[1]:
        kind = "32-bit floats" if floats else "32-bit whole numbers"
        raise ValueError(
            f"its {kind} go from {low:g} to {high:g}; allowed: 0 to {tops[0]} or 0 to {tops[1]}"
        )
    return next(top for top in tops if high <= top)
