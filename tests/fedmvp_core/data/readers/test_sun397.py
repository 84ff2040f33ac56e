"""SUN397."""

from pathlib import Path

import data_trees
import pytest
from listings import base_and_new, class_counts, class_of, every_picture

from fedmvp_core.data.readers.sun397 import sun397
from fedmvp_core.errors import DataError

NAMES = {"abbey": "abbey", "outdoor": "outdoor apartment building", "shop": "shop bakery"}


def test_by_the_official_partitions(tmp_path: Path) -> None:
    data_trees.sun397(tmp_path)
    listing = sun397(tmp_path)
    assert base_and_new(listing) == (("abbey", "outdoor apartment building"), ("shop bakery",))
    for split, each in (("train", 4), ("validation", 1), ("test", 3)):
        assert class_counts(listing, split) == dict.fromkeys(listing.class_names, each)
    for picture in every_picture(listing):
        assert picture.path.is_file()
        assert class_of(listing, picture) == NAMES[picture.path.parent.name]
    assert {p.path.name for p in listing.splits["test"]} == {
        "sun_af.jpg",
        "sun_ag.jpg",
        "sun_ah.jpg",
    }


def test_class_names_may_lie_in_the_archive_of_the_pictures(tmp_path: Path) -> None:
    data_trees.sun397(tmp_path)
    before = sun397(tmp_path)
    (tmp_path / "ClassName.txt").rename(tmp_path / "SUN397" / "ClassName.txt")
    assert sun397(tmp_path) == before


def test_by_the_split_file(tmp_path: Path) -> None:
    data_trees.sun397(tmp_path)
    outdoor = "a/apartment_building/outdoor/sun_aa.jpg"
    data_trees.write_split_json(
        tmp_path / "split_zhou_SUN397.json",
        [(outdoor, 0, "outdoor apartment_building")],
        [],
        [("b/bakery/shop/sun_ab.jpg", 1, "shop bakery")],
    )
    listing = sun397(tmp_path)
    assert listing.class_names == ("outdoor apartment building", "shop bakery")
    assert [p.path for p in listing.splits["train"]] == [tmp_path / "SUN397" / outdoor]


def test_without_the_partitions_it_says_which_files_to_supply(tmp_path: Path) -> None:
    data_trees.sun397(tmp_path)
    (tmp_path / "Training_01.txt").unlink()
    with pytest.raises(
        DataError, match=r"Training_01.txt'.*Partitions.zip\).*CoOp's split_zhou_SUN397.json"
    ):
        sun397(tmp_path)


def test_a_picture_of_no_class_is_refused(tmp_path: Path) -> None:
    data_trees.sun397(tmp_path)
    data_trees.write_lines(tmp_path / "Testing_01.txt", ["/z/zoo/sun_aa.jpg"])
    with pytest.raises(DataError, match=r"'/z/zoo/sun_aa.jpg', whose class is none"):
        sun397(tmp_path)
