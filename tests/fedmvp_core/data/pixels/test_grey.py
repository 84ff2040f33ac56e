"""Pictures of 16 and 32 bits, and with colours and transparency that Pillow clips or loses."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from fedmvp_core.data.pixels.check import unreadable
from fedmvp_core.data.pixels.pictures import load_picture
from fedmvp_core.errors import DataError


def tiff(values: object, path: Path, kind: type = np.float32) -> Path:
    Image.fromarray(np.array(values, dtype=kind)).save(path)
    return path


def png_of_16_bits(path: Path, colour_type: int, values: object, transparent: bytes = b"") -> Path:
    """values: (height, width[, channels]) 16-bit numbers; Pillow cannot write those of colours."""
    pixels = np.array(values, dtype=">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 16, colour_type, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    if transparent:
        chunks.insert(1, (b"tRNS", transparent))
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
            for name, data in chunks
        )
    )
    return path


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([[0, 0.5], [0.25, 1]], [[0, 128], [64, 255]]),
        ([[0, 100.4], [2, 255]], [[0, 100], [2, 255]]),
        ([[0, 0], [0, 0]], [[0, 0], [0, 0]]),
    ],
)
def test_floats_are_scaled_by_their_range(
    tmp_path: Path, values: object, expected: list[list[int]]
) -> None:
    loaded = load_picture(tiff(values, tmp_path / "a.tif"), 2)
    assert loaded[0].tolist() == loaded[2].tolist() == expected


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[0, 300.0]], r"32-bit floats go from 0 to 300; allowed: 0 to 1 or 0 to 255"),
        ([[-0.5, 1]], r"go from -0.5 to 1; allowed"),
        ([[0, np.nan]], "its numbers are NaN or infinite in places; allowed: finite ones"),
        ([[-np.inf, 0]], "NaN or infinite"),
    ],
)
def test_floats_without_a_known_range_are_refused_by_name(
    tmp_path: Path, values: object, message: str
) -> None:
    path = tiff(values, tmp_path / "scan.tif")
    with pytest.raises(DataError, match=rf"scan.tif' cannot be read as a picture: .*{message}"):
        load_picture(path, 2)
    assert message.split(";")[0] in unreadable([path])[0]


@pytest.mark.parametrize(
    ("values", "expected"),
    [([[0, 51], [9, 255]], [[0, 51], [9, 255]]), ([[0, 514], [257, 65535]], [[0, 2], [1, 255]])],
)
def test_whole_numbers_of_32_bits(
    tmp_path: Path, values: object, expected: list[list[int]]
) -> None:
    assert load_picture(tiff(values, tmp_path / "a.tif", np.int32), 2)[1].tolist() == expected


def test_larger_whole_numbers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"32-bit whole numbers go from 0 to 70000; allowed: 0 to"):
        load_picture(tiff([[0, 70000]], tmp_path / "a.tif", np.int32), 1)


def test_a_dark_picture_of_16_bits_stays_dark(tmp_path: Path) -> None:
    """Its range is known: nothing is guessed from its numbers."""
    assert load_picture(tiff([[0, 257]], tmp_path / "a.png", np.uint16), 1)[0].max() <= 1


def test_colours_of_16_bits(tmp_path: Path) -> None:
    values = [[[65535, 32896, 0], [0, 257, 65535]]] * 2
    loaded = load_picture(png_of_16_bits(tmp_path / "a.png", 2, values), 2)
    assert loaded[:, 0, 0].tolist() == [255, 128, 0]
    assert loaded[:, 0, 1].tolist() == [0, 1, 255]


@pytest.mark.parametrize(("colour_type", "grey"), [(4, [32896]), (6, [32896] * 3)])
def test_transparency_of_16_bits(tmp_path: Path, colour_type: int, grey: list[int]) -> None:
    values = [[[*grey, 65535], [*grey, 0]]] * 2
    loaded = load_picture(png_of_16_bits(tmp_path / "a.png", colour_type, values), 2)
    assert loaded[:, 0, 0].tolist() == [128] * 3
    assert loaded[:, 0, 1].tolist() == [255] * 3


def test_a_transparent_grey_of_16_bits(tmp_path: Path) -> None:
    path = png_of_16_bits(tmp_path / "a.png", 0, [[0, 257]] * 2, transparent=b"\0\0")
    assert load_picture(path, 2)[0].tolist() == [[255, 1]] * 2


def test_several_opacities_in_a_palette(tmp_path: Path) -> None:
    picture = Image.new("P", (3, 3))
    picture.putpalette([0, 0, 0, 0, 0, 0, 0, 0, 200])
    picture.putdata([0, 1, 2] * 3)
    picture.save(tmp_path / "a.png", transparency=bytes([0, 128, 255]))
    loaded = load_picture(tmp_path / "a.png", 3)
    assert loaded[:, 0].T.tolist() == [[255] * 3, [127] * 3, [0, 0, 200]]


@pytest.mark.parametrize("suffix", [".webp", ".tif", ".gif"])
def test_transparency_of_other_formats_becomes_white(tmp_path: Path, suffix: str) -> None:
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(tmp_path / f"a{suffix}")
    assert load_picture(tmp_path / f"a{suffix}", 4).unique().tolist() == [255]


@pytest.mark.parametrize(("mode", "colour"), [("CMYK", (0, 255, 255, 0)), ("YCbCr", (76, 85, 255))])
@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_red_in_other_colour_spaces(
    tmp_path: Path, mode: str, colour: tuple[int, ...], suffix: str
) -> None:
    picture = Image.new(mode, (8, 8), colour)
    options: dict[str, Any] = {"quality": 100} if suffix == ".jpg" else {}
    picture.save(tmp_path / f"a{suffix}", **options)
    red, green, blue = load_picture(tmp_path / f"a{suffix}", 8)[:, 4, 4].tolist()
    assert red > 200
    assert max(green, blue) < 60


def test_pixels_of_what_needs_no_conversion_outlive_the_file(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4), (1, 2, 3)).save(tmp_path / "a.png")
    loaded = load_picture(tmp_path / "a.png", 4)
    (tmp_path / "a.png").unlink()
    assert torch.equal(loaded[:, 3, 3], torch.tensor([1, 2, 3], dtype=torch.uint8))
