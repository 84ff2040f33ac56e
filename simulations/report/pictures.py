"""Arrays to pictures inside the page."""

import base64
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

PREVIEW = 128  # pixels: larger pictures are shrunk, because the page holds them all


def picture_uri(image: np.ndarray) -> str:
    """uint8 (3, h, w), as data sets hold it, as a data URI; small ones keep every pixel."""
    picture = Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0)))
    if max(picture.size) <= PREVIEW:
        return _encode(picture, "png", optimize=True)
    picture.thumbnail((PREVIEW, PREVIEW), Image.Resampling.LANCZOS)
    return _encode(picture, "webp", quality=85)


def cells_uri(pixels: np.ndarray) -> str:
    """uint8 (rows, columns, 4), one pixel a cell, as a data URI."""
    return _encode(Image.fromarray(pixels), "png", optimize=True)


def tinted(cells: np.ndarray, colour: str) -> str:
    """Opacities in [0, 1], (rows, columns), of one colour such as "#0072b2", as a data URI."""
    pixels = np.zeros((*cells.shape, 4), dtype=np.uint8)
    pixels[..., :3] = rgb(colour)
    pixels[..., 3] = np.round(255 * cells)
    return cells_uri(pixels)


def _encode(picture: Image.Image, form: str, **options: Any) -> str:
    buffer = BytesIO()
    picture.save(buffer, form, **options)
    return f"data:image/{form};base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def rgb(colour: str) -> tuple[int, int, int]:
    """'#0072b2' -> (0, 114, 178)."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
