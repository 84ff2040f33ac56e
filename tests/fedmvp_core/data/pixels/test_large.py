"""Panoramas and very large pictures: read within bounds, or refused by name."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fedmvp_core.data.pixels import pictures
from fedmvp_core.data.pixels.check import look_at
from fedmvp_core.data.pixels.pictures import load_picture, resize_and_crop, to_tensor
from fedmvp_core.errors import DataError

SIZE = 16


def smooth(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """Waves of a few periods, so that a mean of neighbours is like any of them."""
    across = 127 + 120 * np.sin(np.linspace(0, 9, width))[None, :, None]
    down = np.cos(np.linspace(0, 5, height))[:, None, None] * np.array([1, 0.5, -1])
    pixels = (across * (0.7 + 0.3 * down)).clip(0, 255).astype(np.uint8)
    return Image.fromarray(pixels).convert(mode)


def difference(first: torch.Tensor, second: torch.Tensor) -> int:
    return int((first.int() - second.int()).abs().max())


@pytest.mark.parametrize("size", [(65_000, 1), (1, 65_000), (30_000, 2), (400, 20)])
def test_of_a_panorama_the_centre_is_scaled(tmp_path: Path, size: tuple[int, int]) -> None:
    smooth(*size).save(tmp_path / "a.png")
    code = (
        "import resource, sys; from pathlib import Path; "
        "from fedmvp_core.data.pixels.pictures import load_picture; "
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; "
        "load_picture(Path(sys.argv[1]), 224); "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "a.png"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert int(ran.stdout) < 100_000  # kilobytes; the whole at that height has 10 GB
    assert load_picture(tmp_path / "a.png", SIZE).shape == (3, SIZE, SIZE)


@pytest.mark.parametrize("size", [(700, 40), (41, 801), (3000, 90), (17 * 16 + 5, 16), (90, 5)])
def test_scaling_the_centre_alone_gives_what_scaling_all_does(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    picture = Image.fromarray(pixels)
    centre = to_tensor(resize_and_crop(picture, SIZE))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(pictures, "LONG", 10**9)
        assert difference(centre, to_tensor(resize_and_crop(picture, SIZE))) <= 1


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [
        *(("RGB", ".png"), ("RGBA", ".png"), ("P", ".gif"), ("L", ".png"), ("RGB", ".jpg")),
        *(("CMYK", ".jpg"), ("L", ".jpg"), ("CMYK", ".tif"), ("I;16", ".png"), ("F", ".tif")),
    ],
)
@pytest.mark.parametrize("size", [(403, 301), (200, 611), (900, 40)])
def test_a_large_picture_is_reduced_before_the_rest(
    tmp_path: Path, mode: str, suffix: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = smooth(*size, mode="L" if mode in ("I;16", "F") else mode)
    path = tmp_path / f"a{suffix}"
    if mode == "I;16":
        Image.fromarray(np.asarray(picture).astype(np.uint16) * 257).save(path)
    else:
        picture.convert(mode).save(path)
    exact = load_picture(path, SIZE)
    monkeypatch.setattr(pictures, "LARGE", 10_000)
    monkeypatch.setattr(pictures, "BAND", 5_000)
    assert (
        difference(load_picture(path, SIZE), exact) <= 20
    )  # of 255, where a wave is steep: less than a pixel's shift
    monkeypatch.setattr("fedmvp_core.data.pixels.check.LARGE", 10_000)
    assert look_at([path])[0].reduced


def test_a_large_picture_is_turned_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tags = Image.Exif()
    tags[0x0112] = 8
    for name in ("a.jpg", "a.png"):
        smooth(403, 301).save(tmp_path / name, exif=tags)
        exact = load_picture(tmp_path / name, SIZE)
        with monkeypatch.context() as patched:
            patched.setattr(pictures, "LARGE", 10_000)
            assert difference(load_picture(tmp_path / name, SIZE), exact) <= 20


def test_a_large_jpeg_is_decoded_at_a_fraction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    smooth(800, 640).save(tmp_path / "a.jpg")
    monkeypatch.setattr(pictures, "LARGE", 10_000)
    with pictures.opened(tmp_path / "a.jpg") as picture:
        reduced = pictures.upright(picture, SIZE)
        assert picture.size == (100, 80)
    assert min(reduced.size) >= 2 * SIZE


def test_a_truncated_large_picture_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    smooth(800, 640).save(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:3000])
    monkeypatch.setattr(pictures, "LARGE", 10_000)
    with pytest.raises(DataError, match=r"a.jpg' cannot be read as a picture: .*truncated"):
        load_picture(tmp_path / "a.jpg", SIZE)


def test_a_decompression_bomb_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("L", (64, 64)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(DataError) as refused:
        load_picture(tmp_path / "a.png", SIZE)
    assert str(refused.value).endswith(
        "a.png' cannot be read as a picture: it has more than 2,000 pixels, the most that are "
        "decoded; make it smaller"
    )


def test_pillows_warning_without_a_name_is_not_shown(tmp_path: Path) -> None:
    """In a process of its own: pytest has warning filters of its own."""
    Image.new("L", (64, 64)).save(tmp_path / "a.png")
    code = (
        "import sys; from pathlib import Path; from PIL import Image; "
        "from fedmvp_core.data.pixels.pictures import load_picture; "
        "Image.MAX_IMAGE_PIXELS = 3000; load_picture(Path(sys.argv[1]), 8)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "a.png"], capture_output=True, text=True, check=True
    )
    assert ran.stderr == ""


@pytest.mark.parametrize("size", [(1, 1), (1, 3), (2, 65)])
def test_tiny_pictures(tmp_path: Path, size: tuple[int, int]) -> None:
    Image.new("RGB", size, (9, 8, 7)).save(tmp_path / "a.png")
    assert load_picture(tmp_path / "a.png", SIZE)[0].unique().tolist() == [9]


@pytest.mark.parametrize(
    ("error", "said"),
    [(KeyError(94), "it is damaged"), (TypeError("Missing dimensions"), "Missing dimensions")],
)
def test_whatever_pillow_raises_names_the_file(
    tmp_path: Path, error: Exception, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path) -> None:
        raise error

    monkeypatch.setattr(Image, "open", fail)
    with pytest.raises(DataError, match=f"a.tif' cannot be read as a picture: .*{said}"):
        load_picture(tmp_path / "a.tif", SIZE)
