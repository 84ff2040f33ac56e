"""MLRSNet: a table a category, and a split of this project's own."""

from collections import Counter
from pathlib import Path

import pytest

from fedmvp_core.data.listing import Listing
from fedmvp_core.data.readers.multilabel.mlrsnet import mlrsnet
from fedmvp_core.errors import DataError

HEADER = "image,airplane,bare soil,habor,ships,water"
CATEGORIES = {"airplane": "11000", "harbor&port": "00111", "wetland": "00001"}
PICTURES = 20


def write(folder: Path, category: str, marks: str, header: str = HEADER) -> None:
    names = [f"{category}_{number:05d}.jpg" for number in range(1, PICTURES + 1)]
    (folder / "Labels").mkdir(exist_ok=True)
    (folder / "Images" / category).mkdir(parents=True, exist_ok=True)
    lines = [header, *(f"{name},{','.join(marks)}" for name in names)]
    (folder / "Labels" / f"{category}.csv").write_text("\n".join(lines) + "\n")
    for name in names:
        (folder / "Images" / category / name).touch()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for category, marks in CATEGORIES.items():
        write(tmp_path, category, marks)
    return tmp_path


def files(listing: Listing, split: str) -> set[str]:
    return {f"{p.path.parent.name}/{p.path.name}" for p in listing.splits[split]}


def test_labels(folder: Path) -> None:
    listing = mlrsnet(folder)
    assert listing.multi_label
    assert listing.class_names == ("airplane", "bare soil", "harbor", "ships", "water")
    expected = {"airplane": (0, 1), "harbor&port": (2, 3, 4), "wetland": (4,)}
    for pictures in listing.splits.values():
        for picture in pictures:
            assert picture.labels == expected[picture.path.parent.name]
            assert picture.path.is_file()


def test_every_category_is_split_and_no_picture_is_in_two_splits(folder: Path) -> None:
    listing = mlrsnet(folder)
    for split, count in (("train", 14), ("validation", 2), ("test", 4)):
        categories = Counter(p.path.parent.name for p in listing.splits[split])
        assert categories == dict.fromkeys(CATEGORIES, count)
    train, validation, test = (files(listing, s) for s in ("train", "validation", "test"))
    assert len(train | validation | test) == 3 * PICTURES


def test_the_split_is_the_same_every_time_and_of_every_order(folder: Path) -> None:
    before = mlrsnet(folder)
    table = folder / "Labels" / "wetland.csv"
    header, *rows = table.read_text().splitlines()
    table.write_text("\n".join([header, *reversed(rows)]) + "\n")
    after = mlrsnet(folder)
    for split in ("train", "validation", "test"):
        assert files(before, split) == files(after, split)


def test_pictures_with_few_labels_are_left_out_after_the_split(folder: Path) -> None:
    whole, rich = mlrsnet(folder), mlrsnet(folder, min_labels=3)
    for split in ("train", "validation", "test"):
        assert files(rich, split) == {f for f in files(whole, split) if f.startswith("harbor")}


def test_what_is_missing_is_named(folder: Path) -> None:
    write(folder, "lake", "00001", HEADER.replace("ships", "boats"))
    with pytest.raises(DataError, match=r"lake.csv' and '.*airplane.csv' differ in columns"):
        mlrsnet(folder)
    (folder / "Images" / "airplane" / "airplane_00003.jpg").unlink()
    with pytest.raises(DataError, match=r"airplane.csv' names 1 pictures .*airplane_00003.jpg"):
        mlrsnet(folder)
    for table in (folder / "Labels").iterdir():
        table.unlink()
    with pytest.raises(DataError, match=r"Labels' holds no tables"):
        mlrsnet(folder)
    with pytest.raises(DataError, match=r"mlrsnet: '.*Labels' is not a folder"):
        mlrsnet(folder / "elsewhere")


def test_tables_that_an_archive_of_macos_adds_are_passed_over(folder: Path) -> None:
    before = mlrsnet(folder)
    (folder / "Labels" / "._airplane.csv").write_bytes(b"\x00\x05\x16\x07")
    assert mlrsnet(folder) == before
