"""Readers of pictures, and of what is cached of them."""

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from fedmvp_core.data.pixels.check import known_unreadable
from fedmvp_core.data.pixels.files import files_key, read_pixels
from fedmvp_core.data.pixels.pictures import load_picture
from simulations.benchmarks.fuzz.reader import Reader

_SIZE = 4


def _picture(form: str, mode: str = "RGB", **how: object) -> bytes:
    gradient = np.linspace(0, 255, 6 * 5 * 3, dtype=np.uint8).reshape(5, 6, 3)
    buffer = io.BytesIO()
    Image.fromarray(gradient).convert(mode).save(buffer, form, **how)
    return buffer.getvalue()


def _turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return _picture("JPEG", exif=exif)


def _other_forms() -> list[bytes]:
    first = Image.new("P", (4, 4))
    buffer = io.BytesIO()
    first.save(buffer, "GIF", save_all=True, append_images=[Image.new("P", (4, 4), 3)])
    forms = [_picture(form) for form in ("BMP", "WEBP", "PPM", "TGA", "PCX", "ICO")]
    return [buffer.getvalue(), *forms]


def _load(path: Path) -> object:
    return load_picture(path, _SIZE)


def _picture_beside(path: Path) -> None:
    """A picture, whose decoded pixels the damaged file is said to hold."""
    (path.parent / "a.png").write_bytes(_picture("PNG"))


def _cached_pixels(path: Path) -> object:
    pictures = [path.parent / "a.png"]
    path.rename(path.parent / f"{files_key(pictures, _SIZE)}.npy")
    return read_pixels(pictures, _SIZE, path.parent)


def _pixels() -> list[bytes]:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros((1, 3, _SIZE, _SIZE), np.uint8))
    return [buffer.getvalue()]


def _cached_faults(path: Path) -> object:
    pictures = [path.parent / "a.png"]
    path.rename(path.parent / f"{files_key(pictures, 0)}.json")
    return known_unreadable(pictures, path.parent)


PICTURES: Mapping[str, Reader] = {
    "picture-png": Reader(
        "a.png",
        lambda: [
            _picture("PNG"),
            _picture("PNG", "P"),
            _picture("PNG", "LA"),
            _picture("PNG", "I;16"),
        ],
        _load,
    ),
    "picture-jpeg": Reader(
        "a.jpg", lambda: [_picture("JPEG"), _picture("JPEG", "CMYK"), _turned()], _load
    ),
    "picture-tiff": Reader(
        "a.tif",
        lambda: [_picture("TIFF"), _picture("TIFF", compression="tiff_lzw")],
        _load,
    ),
    "picture-others": Reader("a.bin", _other_forms, _load),
    "cached-pixels": Reader("pixels", _pixels, _cached_pixels, _picture_beside),
    "cached-faults": Reader(
        "faults", lambda: [b'{"0": "it is damaged"}'], _cached_faults, _picture_beside
    ),
}
