"""Oxford-IIIT Pet."""

from pathlib import Path

import data_trees
import pytest
from listings import base_and_new, class_counts, class_of, every_picture, files

from fedmvp_core.data.readers.oxford_pets import oxford_pets
from fedmvp_core.errors import DataError


def test_by_the_official_lists(tmp_path: Path) -> None:
    data_trees.oxford_pets(tmp_path)
    listing = oxford_pets(tmp_path)
    assert base_and_new(listing) == (("abyssinian", "american bulldog"), ("russian blue",))
    assert listing.template == "a photo of a {class}, a type of pet."
    for split, each in (("train", 4), ("validation", 1), ("test", 3)):
        assert class_counts(listing, split) == dict.fromkeys(listing.class_names, each)
    assert files(listing, "test")[-1] == "images/Russian_Blue_7.jpg"
    for picture in every_picture(listing):
        breed = picture.path.stem.rpartition("_")[0]
        assert class_of(listing, picture) == breed.lower().replace("_", " ")


def test_by_the_split_file(tmp_path: Path) -> None:
    data_trees.oxford_pets(tmp_path)
    data_trees.write_split_json(
        tmp_path / "split_zhou_OxfordPets.json",
        [("Russian_Blue_1.jpg", 1, "russian_blue")],
        [("Abyssinian_1.jpg", 0, "abyssinian")],
        [("Abyssinian_2.jpg", 0, "abyssinian")],
    )
    listing = oxford_pets(tmp_path)
    assert listing.class_names == ("abyssinian", "russian blue")
    assert files(listing, "train") == ["images/Russian_Blue_1.jpg"]


def test_a_missing_list_names_both_ways_out(tmp_path: Path) -> None:
    data_trees.oxford_pets(tmp_path)
    (tmp_path / "annotations" / "test.txt").unlink()
    with pytest.raises(DataError, match=r"annotations/test.txt'.*or CoOp's split_zhou_OxfordPets"):
        oxford_pets(tmp_path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("Abyssinian_1 1 1", "has the line 'Abyssinian_1 1 1'"),
        ("Abyssinian_1 two 1 1", "allowed: 'Breed_number label 1 1'"),
        ("Russian_Blue_1 1 1 1", "label 0 in .* is both 'abyssinian' and 'russian_blue'"),
        ("Sphynx_1 9 1 1", "has no picture of label"),
    ],
)
def test_damaged_lists_are_refused(tmp_path: Path, line: str, message: str) -> None:
    data_trees.oxford_pets(tmp_path)
    with (tmp_path / "annotations" / "test.txt").open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(DataError, match=message):
        oxford_pets(tmp_path)


def test_listed_pictures_must_be_there(tmp_path: Path) -> None:
    data_trees.oxford_pets(tmp_path)
    for number in range(5):
        (tmp_path / "images" / f"Abyssinian_{number}.jpg").unlink()
    with pytest.raises(
        DataError, match=r"names 5 pictures that are not in .*: Abyssinian_0.jpg, .* and 2 more"
    ):
        oxford_pets(tmp_path)
