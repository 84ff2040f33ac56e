"""EmojiDomains: the embedded benchmark (docs/emojidomains.md).

A class is a group of concepts ("mammal"), an image one concept in one art style, a domain a style.
Only the evaluation pool is served: its concepts were never seen in pretraining.
"""

import io
import json
from functools import lru_cache
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from fedmvp_core.config import DataSection, RunSection
from fedmvp_core.data.emoji.assets import read_asset
from fedmvp_core.data.image_set import Dataset, ImageSet
from fedmvp_core.data.pixels.pictures import resize_and_crop, to_tensor

STYLES = ("fluent-3d", "fluent-flat", "noto", "openmoji", "sketch", "twemoji")
TILE = 64  # pixels
COLUMNS = 32  # tiles in a row of a sheet


def load(data: DataSection, run: RunSection, image_size: int) -> Dataset:
    """The benchmark's train, validation and test images, in every style, at `image_size` pixels."""
    return _load(image_size)


@lru_cache(maxsize=2)
def _load(image_size: int) -> Dataset:
    table = concept_table()
    class_names = tuple(sorted(table["benchmark"]))
    concepts = [
        concept
        for concept in table["concepts"]
        if concept["pool"] == "evaluation" and concept["class"] in class_names
    ]
    sheets = {style: open_sheet(style) for style in STYLES}

    def split(name: str) -> ImageSet:
        chosen = [concept for concept in concepts if concept["split"] == name]
        return _image_set(chosen, sheets, class_names, image_size)

    attributes = {name: tuple(table["attributes"][name]) for name in class_names}
    return Dataset("emojidomains", split("train"), split("validation"), split("test"), attributes)


def concept_table() -> dict[str, Any]:
    """Every concept with its pool, class and split; the benchmark's classes; their attributes."""
    table: dict[str, Any] = json.loads(read_asset("emojidomains/concepts.json"))
    return table


def open_sheet(style: str) -> Image.Image:
    """All 847 concepts in one style, RGB; raises DataError if the file is damaged."""
    return Image.open(io.BytesIO(read_asset(f"emojidomains/{style}.webp"))).convert("RGB")


def _image_set(
    concepts: list[dict[str, Any]],
    sheets: dict[str, Image.Image],
    class_names: tuple[str, ...],
    image_size: int,
) -> ImageSet:
    """Every concept in every style, concepts first, styles in the order of STYLES."""
    rows = [(concept, style) for concept in concepts for style in sheets]
    pictures = [tile_of(sheets[style], concept["index"], image_size) for concept, style in rows]
    return ImageSet(
        images=torch.stack(pictures),
        labels=torch.tensor([class_names.index(concept["class"]) for concept, _ in rows]),
        domains=tuple(style for _, style in rows),
        names=tuple(f"{concept['name']} ({style})" for concept, style in rows),
        class_names=class_names,
    )


def tile_of(sheet: Image.Image, index: int, image_size: int) -> Tensor:
    """The concept of this index: (3, image_size, image_size) uint8."""
    left, top = index % COLUMNS * TILE, index // COLUMNS * TILE
    tile = sheet.crop((left, top, left + TILE, top + TILE))
    return to_tensor(resize_and_crop(tile, image_size))
