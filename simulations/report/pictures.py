"""Arrays to pictures inside the page."""

import base64
from io import BytesIO

import numpy as np
from PIL import Image

PREVIEW = 128  # pixels: larger pictures are shrunk, because the page holds them all


def data_uri(pixels: np.ndarray, largest: int | None = None) -> str:
    """uint8 (h, w, 3) or (h, w, 4) as a data URI; shrunk to at most `largest` pixels a side."""
    image = Image.fromarray(pixels)
    if largest is not None and max(image.size) > largest:
        image.thumbnail((largest, largest), Image.Resampling.LANCZOS)
    buffer = BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def picture_uri(image: np.ndarray) -> str:
    """uint8 (3, h, w), as data sets hold it, as a data URI."""
    return data_uri(np.ascontiguousarray(image.transpose(1, 2, 0)), largest=PREVIEW)


def tinted(cells: np.ndarray, colour: str) -> str:
    """Opacities in [0, 1], (rows, columns), of one colour such as "#0072b2", as a data URI."""
    pixels = np.zeros((*cells.shape, 4), dtype=np.uint8)
    pixels[..., :3] = rgb(colour)
    pixels[..., 3] = np.round(255 * cells)
    return data_uri(pixels)


def rgb(colour: str) -> tuple[int, int, int]:
    """'#0072b2' -> (0, 114, 178)."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
