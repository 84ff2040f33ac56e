"""Tables of zeros and ones, and what every multi-label listing must hold."""

from pathlib import Path

import pytest

from fedmvp_core.data.listing import Picture
from fedmvp_core.data.readers.multilabel.tables import make_multi_label_listing, read_indicators
from fedmvp_core.errors import DataError


def table(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "table.csv"
    file.write_text(text, encoding="utf-8-sig")
    return file


def test_indicators(tmp_path: Path) -> None:
    names, rows = read_indicators(table(tmp_path, ",ant, bee\n\na.jpg,1,0\nb.jpg, 0.0 ,1.0\n"))
    assert names == ("ant", "bee")
    assert [(row.file, row.labels) for row in rows] == [("a.jpg", (0,)), ("b.jpg", (1,))]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x,ant\na.jpg,2\n", "line 2 of .* has '2' for class 'ant'; allowed: 0 and 1"),
        ("x,ant\na.jpg,\n", "has '' for class 'ant'"),
        ("x,ant\na.jpg,1\na.jpg,0\n", "names 'a.jpg' twice, the second time in line 3"),
        ("x,ant,ant\na.jpg,1,0\n", "columns without a name of their own"),
        ("x,,bee\na.jpg,1,0\n", "columns without a name of their own"),
        ("x,ant\na.jpg,1,0\n", "line 2 of .* has 3 cells, the header 2"),
    ],
)
def test_other_tables_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_indicators(table(tmp_path, text))


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    file.write_bytes(b"x,ant\n\xff\xfe,1\n")
    with pytest.raises(DataError, match=r"table.csv' cannot be read"):
        read_indicators(file)


def test_class_names_are_cleaned_up_and_stay_apart() -> None:
    pictures = {"train": [Picture(Path("1.png"), (0, 1))]}
    assert make_multi_label_listing("own", ["road_vehicle", "b "], pictures).class_names == (
        "road vehicle",
        "b",
    )
    with pytest.raises(DataError, match="own: 1 class names stand for several classes"):
        make_multi_label_listing("own", ["a_b", "a b"], pictures)


def test_classes_without_a_picture_are_noted() -> None:
    splits = {"train": [Picture(Path("1.png"), (0, 1))], "test": [Picture(Path("2.png"), (1,))]}
    listing = make_multi_label_listing("own", ["ant", "bee"], splits)
    assert listing.notes == ("split 'test' has no picture of ant",)
    with pytest.raises(DataError, match=r"split 'test' has no pictures$"):
        make_multi_label_listing("own", ["ant", "bee"], {**splits, "test": []})
