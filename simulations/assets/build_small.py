"""Build the sheets of the small data sets: fashion-mnist, digits, letters and kana.

    python -m simulations.assets.build_small --debian path/to/unpacked/debian/packages

The result is committed, so that only someone who changes the data sets has to run this. Debian's
`dataset-fashion-mnist` holds the product photographs, scikit-learn the digits, and the packages in
`small_fonts.py` the typefaces that letters and kana are drawn in.
"""

from __future__ import annotations

import argparse
import io
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fedmvp_core.data.small.fashion_mnist import PUBLISHED
from fedmvp_core.data.small.idx import read_images, read_labels
from simulations.assets.manifest import ASSETS, write_manifest
from simulations.assets.small_fonts import HIRAGANA, KANA_FONTS, LETTER_FONTS

COLUMNS = 50
GLYPH = 32  # pixels, side of a letter's tile
SPLITS = ("train", "validation", "test")
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@dataclass(frozen=True)
class Tile:
    """One grey picture, (side, side) uint8; where it belongs; and its source."""

    pixels: np.ndarray
    label: str
    split: str
    domain: str
    name: str


def fashion_tiles(folder: Path) -> list[Tile]:
    """The first 100 training pictures of each class, the next 20, and the first 100 test ones."""
    tiles: list[Tile] = []
    for part, wanted in (("train", {"train": 100, "validation": 20}), ("t10k", {"test": 100})):
        images = read_images(folder / f"{part}-images-idx3-ubyte.gz")
        labels = read_labels(folder / f"{part}-labels-idx1-ubyte.gz")
        tiles += _first_of_each(images, [PUBLISHED[label] for label in labels], wanted, part)
    return tiles


def digit_tiles() -> list[Tile]:
    """scikit-learn's digits, 8 x 8: the first 100 of each class, the next 15, and the rest."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = np.round(255 - bunch.images * (255 / 16)).astype(np.uint8)  # dark ink on white
    wanted = {"train": 100, "validation": 15, "test": 1000}
    return _first_of_each(images, [DIGITS[label] for label in bunch.target], wanted, "digits")


def _first_of_each(
    images: np.ndarray, labels: list[str], wanted: dict[str, int], source: str
) -> list[Tile]:
    tiles, seen = [], Counter[str]()
    for row, (pixels, label) in enumerate(zip(images, labels, strict=True)):
        place = seen[label]
        seen[label] += 1
        for split, count in wanted.items():
            if 0 <= place < count:
                tiles.append(Tile(pixels, label, split, "", f"{source} {row}"))
                break
            place -= count
    return tiles


def glyph_tiles(
    debian: Path, fonts: dict[str, tuple[str, ...]], glyphs: dict[str, str]
) -> list[Tile]:
    """Each glyph in each typeface. Of ten typefaces of a style six train, one validates."""
    files = {path.name: path for path in sorted(debian.rglob("*")) if path.is_file()}
    tiles = []
    for style, names in fonts.items():
        test = round(0.3 * len(names))
        for place, name in enumerate(names):
            split = "test" if place >= len(names) - test else "train"
            split = "validation" if place == len(names) - test - 1 else split
            for label, glyph in glyphs.items():
                pixels = draw(files[name], glyph)
                tiles.append(Tile(pixels, label, split, style, f"{label} ({Path(name).stem})"))
    return tiles


def draw(font: Path, glyph: str) -> np.ndarray:
    """(GLYPH, GLYPH) uint8: the glyph in black on white, its box centred, as large as fits."""
    face = ImageFont.truetype(str(font), 96)
    left, top, right, bottom = face.getbbox(glyph)
    width, height = round(right - left), round(bottom - top)
    assert width * height > 0, f"{font.name} has no {glyph}"
    side = round(max(width, height) * 1.2)
    canvas = Image.new("L", (side, side), "white")
    corner = ((side - width) / 2 - left, (side - height) / 2 - top)
    ImageDraw.Draw(canvas).text(corner, glyph, fill="black", font=face)
    return np.asarray(canvas.resize((GLYPH, GLYPH), Image.Resampling.LANCZOS))


def write(name: str, tiles: list[Tile]) -> None:
    """One sheet and its table, split by split."""
    tiles = sorted(tiles, key=lambda tile: SPLITS.index(tile.split))
    side = len(tiles[0].pixels)
    rows = -(-len(tiles) // COLUMNS)
    sheet = Image.new("L", (COLUMNS * side, rows * side), "white")
    for place, tile in enumerate(tiles):
        corner = ((place % COLUMNS) * side, (place // COLUMNS) * side)
        sheet.paste(Image.fromarray(tile.pixels), corner)
    buffer = io.BytesIO()
    sheet.save(buffer, "WEBP", lossless=True, quality=100, method=6)
    classes = sorted({tile.label for tile in tiles})
    table = {
        "tile": side,
        "columns": COLUMNS,
        "classes": classes,
        "splits": {s: sum(tile.split == s for tile in tiles) for s in SPLITS},
        "labels": [classes.index(tile.label) for tile in tiles],
        "domains": [tile.domain for tile in tiles],
        "names": [tile.name for tile in tiles],
    }
    folder = ASSETS / "small"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.webp").write_bytes(buffer.getvalue())
    (folder / f"{name}.json").write_text(json.dumps(table, separators=(",", ":")) + "\n")
    print(f"{name:14s} {len(tiles):5d} pictures, {len(buffer.getvalue()):9,d} bytes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--debian", type=Path, required=True, help="folder with the packages' files"
    )
    debian = parser.parse_args().debian
    letters = {letter.lower(): letter for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
    write("fashion-mnist", fashion_tiles(debian / "usr/share/datasets/fashion-mnist"))
    write("digits", digit_tiles())
    write("letters", glyph_tiles(debian, LETTER_FONTS, letters))
    write("kana", glyph_tiles(debian, KANA_FONTS, HIRAGANA))
    write_manifest()


if __name__ == "__main__":
    main()
