"""MultiScene-Clean: two tables, and columns that are no words yet."""

from pathlib import Path

import pytest

from fedmvp_core.data.readers.multilabel.multiscene import multiscene
from fedmvp_core.errors import DataError

HEADER = "image,Apron,BaseballField,LakePond,OilFiled,SolarPannel,WindTrubine,Sea"


def write(folder: Path, table: str, rows: dict[str, str], header: str = HEADER) -> None:
    lines = [header, *(f"{name},{','.join(marks)}" for name, marks in rows.items())]
    (folder / table).write_text("\r\n".join(lines) + "\r\n")
    (folder / "images").mkdir(exist_ok=True)
    for name in rows:
        (folder / "images" / f"{name.removesuffix('.jpg')}.jpg").touch()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, "Tra.csv", {"100": "1010001", "24.jpg": "0111110"})
    write(tmp_path, "Test.csv", {"7": "0000000", "9931": "0000011"})
    return tmp_path


def test_labels_and_splits(folder: Path) -> None:
    listing = multiscene(folder)
    assert listing.multi_label
    assert listing.class_names == (
        "apron",
        "baseball field",
        "lake or pond",
        "oil field",
        "solar panel",
        "wind turbine",
        "sea",
    )
    found = {
        split: {p.path.name: p.labels for p in pictures}
        for split, pictures in listing.splits.items()
    }
    assert found == {
        "train": {"100.jpg": (0, 2, 6), "24.jpg": (1, 2, 3, 4, 5)},
        "test": {"7.jpg": (), "9931.jpg": (5, 6)},
    }
    assert all(p.path.is_file() for pictures in listing.splits.values() for p in pictures)


def test_tables_of_different_columns_are_refused(folder: Path) -> None:
    write(folder, "Test.csv", {"7": "0000001"}, HEADER.replace("Sea", "Ocean"))
    with pytest.raises(DataError, match=r"Tra.csv and Test.csv in .* differ in columns"):
        multiscene(folder)


def test_missing_pictures_are_named(folder: Path) -> None:
    (folder / "images" / "9931.jpg").unlink()
    with pytest.raises(DataError, match=r"Test.csv' names 1 pictures that are not in .*9931.jpg"):
        multiscene(folder)
