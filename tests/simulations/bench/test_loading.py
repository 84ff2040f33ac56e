"""The benchmark of the decode cache times what it says."""

from pathlib import Path

from PIL import Image

from simulations.bench.loading import DIFFERENT, compare, write_pictures
from simulations.bench.paired import ratios


def test_pictures_are_jpegs_of_the_size_that_is_said(tmp_path: Path) -> None:
    paths = write_pictures(tmp_path / "pictures", DIFFERENT + 1)
    with Image.open(paths[-1]) as picture:
        assert (picture.format, picture.size) == ("JPEG", (500, 375))
    assert paths[-1].read_bytes() == paths[0].read_bytes() != paths[1].read_bytes()


def test_the_cached_side_is_read_from_one_file(tmp_path: Path) -> None:
    part = compare(tmp_path, 12, 16, 2)
    assert (part.images, part.config) == (12, {"pictures": 12, "pixels": 16})
    assert len(list((tmp_path / "cache").iterdir())) == 1
    assert ratios(part.values, "cached")["decoded"].low > 1
