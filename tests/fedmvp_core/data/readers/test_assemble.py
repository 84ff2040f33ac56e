"""Entries to a listing."""

from pathlib import Path

import pytest

from fedmvp_core.data.listing import Picture
from fedmvp_core.data.readers.assemble import Part, clean_name, make_listing
from fedmvp_core.data.readers.splits import Entry
from fedmvp_core.errors import DataError

ROOT = Path("/data")


def test_parts_are_put_together(tmp_path: Path) -> None:
    photos = Part(ROOT / "photo", {"train": [Entry("a/1.jpg", 1)], "test": []}, "photo")
    drawings = Part(ROOT / "sketch", {"train": [Entry("b/2.jpg", 0)]}, "sketch")
    listing = make_listing("pacs", ["polar_bear", "dog"], [photos, drawings], ["as told"])
    assert listing.class_names == ("polar bear", "dog")
    assert listing.splits == {
        "train": [
            Picture(ROOT / "photo" / "a" / "1.jpg", (1,), "photo"),
            Picture(ROOT / "sketch" / "b" / "2.jpg", (0,), "sketch"),
        ]
    }
    assert not listing.multi_label
    assert listing.notes == (
        "as told",
        "domain 'photo' has no picture of polar bear",
        "domain 'sketch' has no picture of dog",
    )


def test_clean_names() -> None:
    assert clean_name("outdoor apartment_building") == "outdoor apartment building"
    assert clean_name(" Tai__Chi\t") == "Tai Chi"
    assert clean_name("café_咖啡") == "café 咖啡"


def test_pictures_in_several_splits_are_noted() -> None:
    entries = [Entry("1.jpg", 0), Entry("2.jpg", 0)]
    part = Part(ROOT, {"train": entries, "test": entries[:1], "validation": entries[:1]})
    assert make_listing("dtd", ["a"], [part]).notes == ("2 pictures are in more than one split",)


def test_classes_must_have_pictures_and_names_of_their_own() -> None:
    part = Part(ROOT, {"train": [Entry("1.jpg", 1)]})
    with pytest.raises(DataError, match=r"dtd has no picture of 1 classes: a$"):
        make_listing("dtd", ["a", "b"], [part])
    with pytest.raises(DataError, match="'a_b' and 'a b'"):
        make_listing("dtd", ["a_b", "a b"], [part])
    with pytest.raises(DataError, match="dtd has no picture of any class"):
        make_listing("dtd", [], [Part(ROOT, {})])
