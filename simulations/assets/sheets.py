"""Reading the committed benchmark: concepts.json and the tiles of a sheet."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from simulations.assets.manifest import ASSETS

TILE = 64
STYLES = ("noto", "twemoji", "openmoji", "sketch", "fluent-flat", "fluent-3d")


def load_document() -> dict[str, Any]:
    """concepts.json as committed."""
    document: dict[str, Any] = json.loads((ASSETS / "emojidomains/concepts.json").read_text())
    return document


def load_sheet(style: str, count: int) -> NDArray[np.uint8]:
    """The tiles of a style in concept order, (count, 64, 64, 3)."""
    sheet = np.asarray(Image.open(ASSETS / f"emojidomains/{style}.webp").convert("RGB"))
    rows, columns = sheet.shape[0] // TILE, sheet.shape[1] // TILE
    tiles = sheet.reshape(rows, TILE, columns, TILE, 3).swapaxes(1, 2)
    return tiles.reshape(-1, TILE, TILE, 3)[:count]
