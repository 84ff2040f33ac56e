"""CoOp's split files."""

import json
from pathlib import Path
from typing import Any

import data_trees
import pytest

from fedmvp_core.data.readers.coop import from_split_json
from fedmvp_core.data.readers.split_json import in_label_order, read_split_json
from fedmvp_core.errors import DataError

ROW = ["a/1.jpg", 0, "a"]


def written(folder: Path, content: Any) -> Path:
    data_trees.write_classes(folder / "pictures", {"a": 3, "b": 3}, "{}.jpg")
    file = folder / "split.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return file


def test_what_it_says(tmp_path: Path) -> None:
    content = {
        "train": [ROW, ["b/2.jpg", 1, "b"]],
        "val": [["a/2.jpg", 0, "a"]],
        "test": [["b/1.jpg", 1, "b"]],
    }
    names, splits = read_split_json(written(tmp_path, content), tmp_path / "pictures")
    assert names == {0: "a", 1: "b"}
    assert splits == {
        "train": [("a/1.jpg", 0), ("b/2.jpg", 1)],
        "validation": [("a/2.jpg", 0)],
        "test": [("b/1.jpg", 1)],
    }


def test_names_that_are_not_ascii(tmp_path: Path) -> None:
    file = written(
        tmp_path, {"train": [["a/1.jpg", 0, "café 咖啡"]], "test": [["a/2.jpg", 0, "café 咖啡"]]}
    )
    names, splits = read_split_json(file, tmp_path / "pictures")
    assert names == {0: "café 咖啡"}
    assert "validation" not in splits


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"train": [', r"split.json' cannot be read as JSON"),
        ([ROW], "is no split file; allowed: an object with lists 'train', 'val' and 'test'"),
        ({"train": [ROW]}, "is no split file"),
        ({"train": {"a": 1}, "test": []}, "'train' in .* is no list"),
        ({"train": [ROW, ["a/2.jpg", 0]], "test": []}, r"'train'\[1\] in .* is \['a/2.jpg', 0\]"),
        ({"train": [["a/1.jpg", "0", "a"]], "test": []}, r"'train'\[0\]"),
        ({"train": [], "test": []}, "names no pictures"),
        ({"train": [ROW], "test": [["b/1.jpg", 0, "b"]]}, "label 0 in .* is both 'a' and 'b'"),
        ({"train": [ROW], "test": [["a/2.jpg", 1, "a"]]}, "class 'a' in .* has the labels 0 and 1"),
        (
            {"train": [[f"a/{i}.jpg", 0, "a"] for i in range(8)], "test": []},
            r"names 5 pictures that are not in .*: a/0.jpg, a/4.jpg, a/5.jpg and 2 more",
        ),
        ({"train": [["../secret.jpg", 0, "a"]], "test": []}, r"pictures in '\.\.', outside"),
        ({"train": [["/etc/passwd", 0, "a"]], "test": []}, "pictures in '/etc', outside"),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_split_json(written(tmp_path, content), tmp_path / "pictures")


def test_labels_are_a_numbering() -> None:
    assert in_label_order({1: "b", 0: "a"}, Path("s.json")) == ["a", "b"]
    with pytest.raises(DataError, match=r"no picture of label 1; labels are 0 to 2"):
        in_label_order({0: "a", 2: "b"}, Path("s.json"))
    with pytest.raises(DataError, match=r"label -1; labels are 0 to 0"):
        in_label_order({0: "a", -1: "b"}, Path("s.json"))


# --- files that people write themselves

TWO = {"train": [ROW], "test": [["b/1.jpg", 1, "b"]]}


def folder_of(tmp_path: Path, content: Any) -> tuple[Path, Path]:
    return written(tmp_path, content), tmp_path / "pictures"


def test_byte_order_mark_and_other_line_ends(tmp_path: Path) -> None:
    file, pictures = folder_of(tmp_path, TWO)
    expected = read_split_json(file, pictures)
    text = json.dumps(TWO, indent=1).replace("\n", "\r\n")
    file.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert read_split_json(file, pictures) == expected


@pytest.mark.parametrize("path", ["a\\2.jpg", "./a/2.jpg", "a//2.jpg", "{pictures}/a/2.jpg"])
def test_paths_of_other_systems(tmp_path: Path, path: str) -> None:
    path = path.format(pictures=tmp_path / "pictures")
    content = {**TWO, "val": [[path, 0, "a"]]}
    _, splits = read_split_json(*folder_of(tmp_path, content))
    assert splits["validation"] == [("a/2.jpg", 0)]


@pytest.mark.parametrize("key", ["val", "valid", "validation", "dev", "Val"])
def test_spellings_of_validation(tmp_path: Path, key: str) -> None:
    _, splits = read_split_json(*folder_of(tmp_path, {**TWO, key: [["a/2.jpg", 0, "a"]]}))
    assert splits["validation"] == [("a/2.jpg", 0)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"train": [ROW], "test": []}, "'.*split.json' has no pictures for the test split"),
        ({"train": [], "test": [ROW]}, "'.*split.json' has no pictures for the train split"),
        (
            {**TWO, "val": [], "valid": []},
            "has the lists train, test, val, valid; allowed: 'train'",
        ),
        ({**TWO, "extra": [ROW]}, "has the lists train, test, extra; allowed: 'train', 'val'"),
        (
            '{"train": [], "train": [], "test": []}',
            "cannot be read as JSON: an object has names twice: 'train'",
        ),
        ({"train": [["a/1.jpg", True, "a"]], "test": []}, r"'train'\[0\] in .*; allowed: \[path"),
        (
            {"train": [ROW], "test": [["a/1.jpg", 1, "b"]]},
            "'a/1.jpg' in '.*split.json' has the labels 0 and 1; allowed: one label for a picture",
        ),
        ({**TWO, "val": [["a/1.JPG", 0, "a"]]}, r": a/1.JPG \(there is '1.jpg'\)"),
        ({**TWO, "val": [["C:\\x\\1.jpg", 0, "a"]]}, "names 1 pictures .*: C:/x/1.jpg"),
        ({**TWO, "val": [["..\\1.jpg", 0, "a"]]}, r"pictures in '\.\.', outside"),
        ({**TWO, "val": [["~/1.jpg", 0, "a"]]}, "outside '.*pictures'"),
        ("[" * 100_000, "cannot be read as JSON"),
    ],
)
def test_nothing_is_dropped_or_guessed(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_split_json(*folder_of(tmp_path, content))


def test_a_list_of_notes_is_the_only_thing_that_is_refused(tmp_path: Path) -> None:
    names, _ = read_split_json(*folder_of(tmp_path, {**TWO, "info": "made by hand", "version": 2}))
    assert names == {0: "a", 1: "b"}


def test_a_folder_where_the_split_file_should_be(tmp_path: Path) -> None:
    """Else the data set would be split by seed, as if there were no split file."""
    data_trees.write_classes(tmp_path / "2750", {"a": 3}, "{}.jpg")
    (tmp_path / "split.json").mkdir()
    with pytest.raises(DataError, match=r"split.json' cannot be read as JSON: .*directory"):
        from_split_json("eurosat", tmp_path, tmp_path / "2750", "split.json")


def test_a_picture_that_is_twice_in_a_split_is_noted(tmp_path: Path) -> None:
    file, pictures = folder_of(tmp_path, {**TWO, "train": [ROW, ROW]})
    listing = from_split_json("eurosat", tmp_path, pictures, file.name)
    assert listing is not None
    assert "1 pictures are twice in a split" in listing.notes
