"""Caltech-101, DTD, EuroSAT, Food-101, with CoOp's split file and without."""

from collections.abc import Callable
from pathlib import Path

import data_trees
import pytest
from listings import base_and_new, class_counts, class_of, counts, every_picture, files

from fedmvp_core.data.listing import Reader
from fedmvp_core.data.readers.class_folder_sets import caltech101, dtd, eurosat, food101
from fedmvp_core.errors import DataError


def test_caltech_is_cleaned_up_as_coop_does(tmp_path: Path) -> None:
    data_trees.caltech101(tmp_path)
    listing = caltech101(tmp_path)
    # Labels are places of the folders Faces, Leopards, Motorbikes, accordion, airplanes, water_...
    assert base_and_new(listing) == (
        ("face", "leopard", "motorbike"),
        ("accordion", "airplane", "water lilly"),
    )
    assert counts(listing) == {"train": 30, "validation": 12, "test": 18}
    for split, each in (("train", 5), ("validation", 2), ("test", 3)):
        assert class_counts(listing, split) == dict.fromkeys(listing.class_names, each)
    for picture in every_picture(listing):
        folder = picture.path.parent.name
        assert folder not in ("BACKGROUND_Google", "Faces_easy")
        assert class_of(listing, picture)[:4] == folder.lower()[:4]
    assert any("BACKGROUND_Google, Faces_easy" in note for note in listing.notes)
    assert any("no split_zhou_Caltech101.json" in note for note in listing.notes)


def test_caltech_by_its_split_file(tmp_path: Path) -> None:
    data_trees.caltech101(tmp_path)
    data_trees.write_split_json(
        tmp_path / "split_zhou_Caltech101.json",
        train=[
            ("Faces/image_0001.jpg", 0, "face"),
            ("water_lilly/image_0003.jpg", 2, "water_lilly"),
        ],
        val=[("airplanes/image_0002.jpg", 1, "airplane")],
        test=[("water_lilly/image_0001.jpg", 2, "water_lilly")],
    )
    listing = caltech101(tmp_path)
    assert listing.class_names == ("face", "airplane", "water lilly")
    assert files(listing, "train") == ["Faces/image_0001.jpg", "water_lilly/image_0003.jpg"]
    assert files(listing, "validation") == ["airplanes/image_0002.jpg"]
    assert [p.labels for p in listing.splits["train"]] == [(0,), (2,)]
    assert all(p.path.is_file() and p.domain == "" for p in every_picture(listing))


def test_dtd(tmp_path: Path) -> None:
    data_trees.dtd(tmp_path)
    listing = dtd(tmp_path)
    assert base_and_new(listing) == (("banded", "blotchy"), ("polka-dotted",))
    assert counts(listing) == {"train": 15, "validation": 6, "test": 9}
    assert listing.template == "{class} texture."


def test_eurosat_is_renamed(tmp_path: Path) -> None:
    data_trees.eurosat(tmp_path)
    listing = eurosat(tmp_path)
    assert base_and_new(listing) == (
        (
            "Annual Crop Land",
            "Forest",
            "Herbaceous Vegetation Land",
            "Highway or Road",
            "Industrial Buildings",
        ),
        ("Pasture Land", "Permanent Crop Land", "Residential Buildings", "River", "Sea or Lake"),
    )
    assert counts(listing) == {"train": 50, "validation": 20, "test": 30}
    assert {class_of(listing, p) for p in every_picture(listing) if "SeaLake" in p.path.name} == {
        "Sea or Lake"
    }


def test_food(tmp_path: Path) -> None:
    data_trees.food101(tmp_path)
    listing = food101(tmp_path)
    assert base_and_new(listing) == (("apple pie",), ("beef tartare",))
    assert counts(listing) == {"train": 10, "validation": 4, "test": 6}
    assert listing.template == "a photo of {class}, a type of food."


SPLIT_FILES = [
    (data_trees.caltech101, caltech101, "101_ObjectCategories", "split_zhou_Caltech101.json"),
    (data_trees.dtd, dtd, "images", "split_zhou_DescribableTextures.json"),
    (data_trees.eurosat, eurosat, "2750", "split_zhou_EuroSAT.json"),
    (data_trees.food101, food101, "images", "split_zhou_Food101.json"),
]


@pytest.mark.parametrize(("write", "reader", "pictures", "split_file"), SPLIT_FILES)
def test_the_split_file_is_used_where_it_is(
    tmp_path: Path, write: Callable[[Path], None], reader: Reader, pictures: str, split_file: str
) -> None:
    write(tmp_path)
    some = sorted(
        p.relative_to(tmp_path / pictures).as_posix() for p in tmp_path.glob(f"{pictures}/*/*.jpg")
    )
    data_trees.write_split_json(
        tmp_path / split_file,
        [(some[0], 1, "b_c"), (some[1], 0, "a")],
        [(some[2], 0, "a")],
        [(some[3], 1, "b_c")],
    )
    listing = reader(tmp_path)
    assert listing.class_names == ("a", "b c")
    assert counts(listing) == {"train": 2, "validation": 1, "test": 1}
    assert files(listing, "train") == some[:2]
    assert listing.notes == (
        "split 'validation' has no picture of b c",
        "split 'test' has no picture of a",
    )


def test_an_empty_class_folder_is_refused(tmp_path: Path) -> None:
    data_trees.dtd(tmp_path)
    (tmp_path / "images" / "woven").mkdir()
    with pytest.raises(DataError, match="dtd has no picture of 1 classes: woven"):
        dtd(tmp_path)


def test_missing_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"food101: '.*/absent' is not a folder"):
        food101(tmp_path / "absent")
    with pytest.raises(DataError, match=r"caltech101: '.*101_ObjectCategories' is not a folder"):
        caltech101(tmp_path)


def test_a_folder_without_class_folders_is_refused(tmp_path: Path) -> None:
    data_trees.write_pictures(tmp_path / "2750", ["River_1.jpg"])
    with pytest.raises(DataError, match="eurosat has no picture of any class"):
        eurosat(tmp_path)


def test_two_folders_with_the_same_name_in_words_are_refused(tmp_path: Path) -> None:
    data_trees.write_classes(tmp_path / "images", {"apple_pie": 3, "apple pie": 3})
    with pytest.raises(DataError, match="'apple pie' and 'apple_pie'"):
        food101(tmp_path)
