"""Picture files of every mode to pixels."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from fedmvp_core.data.pixels.pictures import load_picture, resize_and_crop, to_tensor
from fedmvp_core.errors import DataError


def saved(picture: Image.Image, path: Path) -> Path:
    picture.save(path)
    return path


def test_pixels_of_a_picture_of_the_right_size_are_kept(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    loaded = load_picture(saved(Image.fromarray(pixels), tmp_path / "a.png"), 8)
    assert loaded.dtype == torch.uint8
    assert torch.equal(loaded, torch.from_numpy(pixels).permute(2, 0, 1))


def test_transparency_becomes_white(tmp_path: Path) -> None:
    pixels = np.zeros((2, 2, 4), dtype=np.uint8)  # black, and wholly transparent
    pixels[0, 0] = (200, 100, 50, 255)
    pixels[1, 1] = (0, 0, 0, 128)
    loaded = load_picture(saved(Image.fromarray(pixels), tmp_path / "a.png"), 2)
    assert loaded[:, 0, 0].tolist() == [200, 100, 50]
    assert loaded[:, 0, 1].tolist() == [255, 255, 255]
    assert loaded[:, 1, 1].tolist() == [127, 127, 127]


def test_a_palette_with_a_transparent_colour(tmp_path: Path) -> None:
    picture = Image.new("P", (2, 2), 0)
    picture.putpalette([0, 0, 0, 10, 20, 30])
    picture.putpixel((1, 1), 1)
    picture.save(tmp_path / "a.png", transparency=0)
    loaded = load_picture(tmp_path / "a.png", 2)
    assert loaded[:, 1, 1].tolist() == [10, 20, 30]
    assert loaded[:, 0, 0].tolist() == [255, 255, 255]


def test_a_palette_without_transparency(tmp_path: Path) -> None:
    picture = Image.new("P", (2, 2), 1)
    picture.putpalette([0, 0, 0, 10, 20, 30])
    loaded = load_picture(saved(picture, tmp_path / "a.gif"), 2)
    assert loaded[:, 0, 0].tolist() == [10, 20, 30]


def test_grey_with_and_without_alpha(tmp_path: Path) -> None:
    grey = load_picture(saved(Image.new("L", (2, 2), 77), tmp_path / "a.png"), 2)
    assert grey[:, 0, 0].tolist() == [77, 77, 77]
    clear = load_picture(saved(Image.new("LA", (2, 2), (0, 0)), tmp_path / "b.png"), 2)
    assert clear[:, 0, 0].tolist() == [255, 255, 255]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_keep_their_range(tmp_path: Path, suffix: str) -> None:
    ramp = np.array([[0, 16384], [32768, 65535]], dtype=np.uint16)
    loaded = load_picture(saved(Image.fromarray(ramp), tmp_path / f"a{suffix}"), 2)
    assert loaded[0].tolist() == [[0, 64], [128, 255]]
    assert torch.equal(loaded[0], loaded[2])


def test_cmyk(tmp_path: Path) -> None:
    picture = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    picture.save(tmp_path / "a.jpg", quality=100)
    loaded = load_picture(tmp_path / "a.jpg", 8)[:, 4, 4].tolist()
    assert loaded[0] > 200
    assert max(loaded[1:]) < 60


def test_one_bit(tmp_path: Path) -> None:
    loaded = load_picture(saved(Image.new("1", (2, 2), 1), tmp_path / "a.png"), 2)
    assert loaded.unique().tolist() == [255]


@pytest.mark.parametrize("size", [(100, 60), (61, 97), (33, 32), (32, 500), (7, 5)])
def test_resizing_is_that_of_torchvision(size: tuple[int, int]) -> None:
    """open_clip's evaluation preprocessing: Resize (bicubic), CenterCrop."""
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    picture = Image.fromarray(pixels)
    theirs = v2.Compose(
        [v2.Resize(32, interpolation=v2.InterpolationMode.BICUBIC), v2.CenterCrop(32)]
    )
    assert torch.equal(to_tensor(resize_and_crop(picture, 32)), to_tensor(theirs(picture)))


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"picture '.*gone.png' does not exist"):
        load_picture(tmp_path / "gone.png", 8)
    (tmp_path / "words.png").write_text("no picture")
    with pytest.raises(DataError, match=r"words.png' cannot be read as a picture"):
        load_picture(tmp_path / "words.png", 8)
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(DataError, match=r"empty.jpg' cannot be read as a picture"):
        load_picture(tmp_path / "empty.jpg", 8)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".gif", ".bmp"])
def test_a_truncated_picture_is_refused(tmp_path: Path, suffix: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path = saved(Image.fromarray(pixels), tmp_path / f"a{suffix}")
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(DataError, match=rf"a{suffix}' cannot be read as a picture"):
        load_picture(path, 64)


def test_a_picture_of_absurd_size_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(Image.new("L", (64, 64)), tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(DataError, match="cannot be read as a picture"):
        load_picture(path, 8)
