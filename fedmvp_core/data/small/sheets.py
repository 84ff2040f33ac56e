"""The small data sets of the package, each one sheet of grey tiles and a table.

digits   handwriting, 8 x 8 pixels (scikit-learn's; Alpaydin and Kaynak, UCI, 1998)
letters  26 capitals in fifty typefaces; a domain is a style of typeface
kana     46 hiragana in 25 typefaces; a domain is a style of typeface
"""

import io
import json
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from PIL import Image

from fedmvp_core.config import DataSection, RunSection
from fedmvp_core.data.emoji.assets import read_asset
from fedmvp_core.data.image_set import Dataset, ImageSet
from fedmvp_core.data.pixels.pictures import to_tensor
from fedmvp_core.data.plugins import DatasetLoader

FOLDER = "small"  # of fedmvp_assets


def embedded(name: str) -> DatasetLoader:
    """The loader of one sheet."""

    def load(data: DataSection, run: RunSection, image_size: int) -> Dataset:
        return load_sheet(name, image_size)

    load.__doc__ = f"The package's {name}."
    return load


digits = embedded("digits")
letters = embedded("letters")
kana = embedded("kana")


@lru_cache(maxsize=8)
def load_sheet(name: str, image_size: int) -> Dataset:
    """The data set of a sheet, at `image_size` pixels; raises DataError if a file is damaged."""
    table: dict[str, Any] = json.loads(read_asset(f"{FOLDER}/{name}.json"))
    sheet = Image.open(io.BytesIO(read_asset(f"{FOLDER}/{name}.webp"))).convert("L")
    side, columns = table["tile"], table["columns"]
    splits, begin = [], 0
    for count in table["splits"].values():
        places = range(begin, begin + count)
        pixels = np.stack([_tile(sheet, place, side, columns) for place in places])
        splits.append(
            ImageSet(
                images=to_size(pixels, image_size),
                labels=torch.tensor(table["labels"][begin : begin + count]),
                domains=tuple(table["domains"][begin : begin + count]),
                names=tuple(table["names"][begin : begin + count]),
                class_names=tuple(table["classes"]),
            )
        )
        begin += count
    train, validation, test = splits
    return Dataset(name, train, validation, test)


def _tile(sheet: Image.Image, place: int, side: int, columns: int) -> np.ndarray:
    left, top = (place % columns) * side, (place // columns) * side
    return np.asarray(sheet.crop((left, top, left + side, top + side)))


def to_size(pixels: np.ndarray, image_size: int) -> torch.Tensor:
    """(n, height, width) uint8 grey -> (n, 3, image_size, image_size) uint8, bicubic."""
    size = (image_size, image_size)
    pictures = (Image.fromarray(one).convert("RGB") for one in pixels)
    return torch.stack([to_tensor(p.resize(size, Image.Resampling.BICUBIC)) for p in pictures])
