"""The table of readers, over a tree of every data set."""

from pathlib import Path

import data_trees
import pytest
import torch
from listings import every_picture

from fedmvp_core.data.listing import ReaderEntry
from fedmvp_core.data.pixels.pictures import load_picture
from fedmvp_core.data.readers.table import READERS
from fedmvp_core.errors import DataError

SINGLE_LABEL = {name: entry for name, entry in READERS.items() if not entry.multi_label}
entries = pytest.mark.parametrize("entry", SINGLE_LABEL.values(), ids=SINGLE_LABEL)


def test_every_data_set_has_a_tree() -> None:
    assert SINGLE_LABEL.keys() == data_trees.TREES.keys()
    assert all(name == entry.name for name, entry in READERS.items())
    assert len({entry.folder for entry in READERS.values()}) == len(READERS)


@entries
def test_what_every_listing_holds(entry: ReaderEntry, tmp_path: Path) -> None:
    data_trees.TREES[entry.name](tmp_path / entry.folder)
    listing = entry.reader(tmp_path / entry.folder)
    assert listing.name == entry.name
    assert listing.template == entry.template
    published, found = set(entry.expected_counts), set(listing.splits)
    assert found == published if published else found >= {"train", "test"}
    pictures = every_picture(listing)
    assert len({picture.path for picture in pictures}) == len(pictures)
    assert {p.domain for p in pictures} == set(entry.domains or ("",))
    assert {p.labels for p in pictures} == {(i,) for i in range(len(listing.class_names))}
    assert not any("_" in name for name in listing.class_names)
    assert load_picture(pictures[0].path, 8).dtype == torch.uint8


@entries
def test_listings_do_not_depend_on_where_they_lie_or_on_the_order_of_writing(
    entry: ReaderEntry, tmp_path: Path
) -> None:
    listings = []
    for place in ("here", "there"):
        data_trees.TREES[entry.name](tmp_path / place)
        files = [p for p in (tmp_path / place).rglob("*") if p.is_file()]
        for file in files if place == "here" else reversed(files):
            content = file.read_bytes()
            file.unlink()
            file.write_bytes(content)
        listing = entry.reader(tmp_path / place)
        listings.append(
            {
                split: [(p.path.relative_to(tmp_path / place), p.labels, p.domain) for p in found]
                for split, found in listing.splits.items()
            }
        )
    assert listings[0] == listings[1]


@entries
def test_a_missing_folder_is_named(entry: ReaderEntry, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"{entry.name}: '.*absent.*' is not a folder"):
        entry.reader(tmp_path / "absent")


@entries
def test_sentences_have_a_place_for_the_class(entry: ReaderEntry) -> None:
    assert entry.template.count("{class}") == 1
    assert entry.template.endswith(".")
    stems = entry.attribute_stems
    assert all(stem.count("{class}") == 1 and stem[-1] not in ".," for stem in stems.values())
    assert set(stems) in ({""}, set(entry.domains))


def test_sentences_of_the_papers() -> None:
    assert READERS["imagenet"].template == "a photo of a {class}."
    assert READERS["eurosat"].template == "a centered satellite photo of {class}."
    assert READERS["dtd"].attribute_stems[""] == "a photo of a {class}, a type of texture"
    assert READERS["pacs"].attribute_stems["art painting"] == "an art painting of a {class}"
    assert READERS["terraincognita"].attribute_stems == {"": "a photo of a {class}"}


def test_published_sizes_add_up() -> None:
    """CoOp's three splits hold every picture of the data set (Caltech: of the 100 classes)."""
    sums = {
        name: sum(entry.expected_counts.values())
        for name, entry in READERS.items()
        if len(entry.expected_counts) == 3
    }
    assert sums == {
        "caltech101": 9145 - 468 - 435,  # without background and second faces
        "oxford_pets": 7349,
        "stanford_cars": 16185,
        "oxford_flowers": 8189,
        "food101": 101 * 1000,
        "fgvc_aircraft": 10000,
        "sun397": 397 * 100,
        "dtd": 47 * 120,
        "eurosat": 27000,
        "ucf101": 13320,
    }
