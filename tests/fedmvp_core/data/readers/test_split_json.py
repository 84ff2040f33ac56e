"""CoOp's split files."""

import json
from pathlib import Path
from typing import Any

import data_trees
import pytest

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
    file = written(tmp_path, {"train": [["a/1.jpg", 0, "café 咖啡"]], "test": []})
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
