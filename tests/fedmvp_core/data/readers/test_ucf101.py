"""UCF101's middle frames."""

from pathlib import Path

import data_trees
import pytest
from listings import base_and_new, class_counts, class_of, every_picture, files

from fedmvp_core.data.readers.ucf101 import ucf101, words
from fedmvp_core.errors import DataError


def test_by_the_official_lists(tmp_path: Path) -> None:
    data_trees.ucf101(tmp_path)
    listing = ucf101(tmp_path)
    assert base_and_new(listing) == (("Apply Eye Makeup", "Tai Chi"), ("Yo Yo",))
    assert listing.template == "a photo of a person doing {class}."
    for split, each in (("train", 4), ("validation", 1), ("test", 3)):
        assert class_counts(listing, split) == dict.fromkeys(listing.class_names, each)
    assert files(listing, "test")[3] == "Tai_Chi/v_TaiChi_g01_c01.jpg"
    for picture in every_picture(listing):
        assert class_of(listing, picture) == picture.path.parent.name.replace("_", " ")


def test_by_the_split_file(tmp_path: Path) -> None:
    data_trees.ucf101(tmp_path)
    data_trees.write_split_json(
        tmp_path / "split_zhou_UCF101.json",
        [("Yo_Yo/v_YoYo_g05_c01.jpg", 0, "Yo_Yo")],
        [],
        [("Yo_Yo/v_YoYo_g01_c01.jpg", 0, "Yo_Yo")],
    )
    listing = ucf101(tmp_path)
    assert (listing.class_names, files(listing, "test")) == (
        ("Yo Yo",),
        ["Yo_Yo/v_YoYo_g01_c01.jpg"],
    )


def test_words() -> None:
    assert words("ApplyEyeMakeup") == "Apply_Eye_Makeup"
    assert words("Archery") == "Archery"


@pytest.mark.parametrize(
    ("file", "line", "message"),
    [
        ("classInd.txt", "5 Archery", "numbers 4 actions; allowed: from 1, without gaps"),
        ("classInd.txt", "Archery", "has the line 'Archery'"),
        ("testlist01.txt", "Archery/v_Archery_g01_c01.avi", "allowed: actions of classInd.txt"),
        ("trainlist01.txt", "YoYo/v_YoYo_g99_c01.avi 3", "are not in .*: Yo_Yo/v_YoYo_g99_c01.jpg"),
    ],
)
def test_damaged_lists_are_refused(tmp_path: Path, file: str, line: str, message: str) -> None:
    data_trees.ucf101(tmp_path)
    with (tmp_path / "ucfTrainTestlist" / file).open("a") as opened:
        opened.write(f"{line}\n")
    with pytest.raises(DataError, match=message):
        ucf101(tmp_path)
