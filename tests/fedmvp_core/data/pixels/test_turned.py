"""Pictures of phones: turned as their EXIF orientation says, the first of several frames taken."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image, ImageOps
from torch import Tensor

from fedmvp_core.data.pixels.check import Looked, look_at
from fedmvp_core.data.pixels.files import read_pixels
from fedmvp_core.data.pixels.pictures import load_picture

SIDE = 16


def corners() -> Image.Image:
    """Another colour in each corner, so that every turn is another picture."""
    pixels = np.full((SIDE, SIDE, 3), 128, dtype=np.uint8)
    half = SIDE // 2
    pixels[:half, :half] = (250, 10, 10)
    pixels[:half, half:] = (10, 250, 10)
    pixels[half:, :half] = (10, 10, 250)
    return Image.fromarray(pixels)


def exif(orientation: object) -> Image.Exif:
    tags = Image.Exif()
    tags[ExifTags.Base.Orientation] = orientation
    return tags


def plain(picture: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".JPG", ".png", ".webp", ".tif"])
def test_as_pillow_turns_them(tmp_path: Path, suffix: str, orientation: int) -> None:
    path = tmp_path / f"a{suffix}"
    options: dict[str, Any] = {"lossless": True} if suffix == ".webp" else {}
    corners().save(path, exif=exif(orientation), **options)
    with Image.open(path) as opened:
        expected = plain(ImageOps.exif_transpose(opened))
    assert torch.equal(load_picture(path, SIDE), expected)
    assert look_at([path]) == [Looked("", turned=orientation > 1)]


def test_a_phone_portrait_is_cropped_after_it_is_turned(tmp_path: Path) -> None:
    """A 40 x 20 file shown as 20 x 40: the centre square of the upright one."""
    pixels = np.random.default_rng(0).integers(0, 256, (20, 40, 3), dtype=np.uint8)
    picture = Image.fromarray(pixels)
    picture.save(tmp_path / "turned.png", exif=exif(6))
    picture.transpose(Image.Transpose.ROTATE_270).save(tmp_path / "upright.png")
    assert torch.equal(
        load_picture(tmp_path / "turned.png", 8), load_picture(tmp_path / "upright.png", 8)
    )


def test_transparency_and_turn_together(tmp_path: Path) -> None:
    picture = corners().convert("RGBA")
    picture.putpixel((0, 0), (0, 0, 0, 0))
    picture.save(tmp_path / "a.png", exif=exif(3))
    loaded = load_picture(tmp_path / "a.png", SIDE)
    assert loaded[:, -1, -1].tolist() == [255, 255, 255]
    assert loaded[:, -1, -2].tolist() == [250, 10, 10]


@pytest.mark.parametrize("orientation", [0, 9, 77])
def test_an_unknown_orientation_turns_nothing(tmp_path: Path, orientation: int) -> None:
    corners().save(tmp_path / "a.png", exif=exif(orientation))
    assert torch.equal(load_picture(tmp_path / "a.png", SIDE), plain(corners()))


@pytest.mark.parametrize("damage", [b"Exif\0\0no TIFF header", b"Exif\0\0MM\0*\0\0\xff\xff", b"x"])
def test_damaged_exif_is_no_reason_to_refuse_a_picture(tmp_path: Path, damage: bytes) -> None:
    corners().save(tmp_path / "a.png", exif=damage)
    assert torch.equal(load_picture(tmp_path / "a.png", SIDE), plain(corners()))


def test_an_orientation_in_xmp_alone(tmp_path: Path) -> None:
    corners().save(tmp_path / "a.webp", lossless=True, xmp=b'<x tiff:Orientation="3"/>')
    turned = corners().transpose(Image.Transpose.ROTATE_180)
    assert torch.equal(load_picture(tmp_path / "a.webp", SIDE), plain(turned))


def test_pixels_that_an_earlier_version_cached_sideways_are_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corners().save(tmp_path / "a.png", exif=exif(3))
    cache = tmp_path / "cache"
    with monkeypatch.context() as earlier:
        earlier.setattr("fedmvp_core.data.pixels.files.DECODING", 1)
        earlier.setattr("fedmvp_core.data.pixels.pictures.TURNS", {})
        sideways = read_pixels([tmp_path / "a.png"], SIDE, cache).clone()
    assert not torch.equal(read_pixels([tmp_path / "a.png"], SIDE, cache), sideways)


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png", ".tif"])
def test_the_first_frame_is_taken_and_the_others_are_counted(tmp_path: Path, suffix: str) -> None:
    later = [Image.new("RGB", (SIDE, SIDE), colour) for colour in ("black", "white")]
    options: dict[str, Any] = {"lossless": True} if suffix == ".webp" else {}
    path = tmp_path / f"a{suffix}"
    corners().save(path, save_all=True, append_images=later, **options)
    assert look_at([path]) == [Looked("", frames=3)]
    assert torch.equal(load_picture(path, SIDE), plain(corners()))


def test_a_damaged_later_frame_leaves_the_first_readable(tmp_path: Path) -> None:
    later = [Image.effect_noise((SIDE, SIDE), 90).convert("P") for _ in range(2)]
    path = tmp_path / "a.gif"
    corners().convert("P").save(path, save_all=True, append_images=later)
    path.write_bytes(path.read_bytes()[:-60])
    assert not look_at([path])[0].fault
    assert load_picture(path, SIDE).any()


def test_the_preview_beside_a_phones_photograph_is_no_frame(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    corners().save(path, format="MPO", save_all=True, append_images=[corners().resize((8, 8))])
    assert look_at([path]) == [Looked("")]
