"""Two spellings of one class: refused by name, or merged."""

import json
import re
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from configured import dataset_of
from data_trees import TREES, write_classes
from small_pictures import write_folder

from fedmvp_core.config import RunConfig
from fedmvp_core.data.image_set import Dataset
from fedmvp_core.data.listing import Listing, Picture
from fedmvp_core.data.readers.assemble import thin_classes
from fedmvp_core.data.readers.split_json import read_split_json
from fedmvp_core.data.spellings import names_of, settled, spelling_key
from fedmvp_core.errors import DataError

CAFE = unicodedata.normalize("NFC", "café"), unicodedata.normalize("NFD", "café")
Load = Callable[..., Dataset]


@pytest.fixture
def load(default_config: Callable[..., RunConfig], tmp_path: Path) -> Load:
    def load_folder(dataset: str = "imagefolder", **overrides: Any) -> Dataset:
        config = default_config(dataset=dataset, data_dir=str(tmp_path / "pictures"), **overrides)
        return dataset_of(config, 16)

    return load_folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "pictures"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Ant", "ant", True),
        ("road_vehicle", "road vehicle", True),
        ("road-vehicle", "Road  Vehicle", True),
        ("roadvehicle", "road vehicle", True),
        (" ant", "ant", True),
        (*CAFE, True),
        ("STRASSE", "straße", True),
        ("1-11", "11-1", False),
        ("class 1", "class 11", False),
        ("ant", "ants", False),
        ("cafe", "café", False),
        ("c++", "c", False),
    ],
)
def test_what_is_one_spelling(one: str, other: str, same: bool) -> None:
    assert (spelling_key(one) == spelling_key(other)) == same


def test_names_are_cleaned_up_unless_they_would_fall_together() -> None:
    assert names_of(["road_vehicle", " bee", CAFE[1]]) == {
        "road_vehicle": "road vehicle",
        " bee": "bee",
        CAFE[1]: CAFE[0],
    }
    assert names_of(["a_b", "a b"]) == {"a_b": "a_b", "a b": "a b"}


@pytest.mark.parametrize(
    ("pair", "shown"),
    [
        (("Ant", "ant"), "'Ant' and 'ant'"),
        (("road_vehicle", "road vehicle"), "'road_vehicle' and 'road vehicle'"),
        (("t-shirt", "t shirt"), "'t-shirt' and 't shirt'"),
        (("ant", " ant"), "'ant' and ' ant'"),
        (CAFE, r"'caf\xe9' and 'cafe\u0301'"),
    ],
)
@pytest.mark.parametrize(
    ("splits", "domains"), [(("",), ("",)), (("train", "test"), ("",)), (("",), ("photo", "art"))]
)
def test_class_folders(
    pair: Sequence[str], shown: str, splits: Sequence[str], domains: Sequence[str],
    load: Load, root: Path,
) -> None:  # fmt: skip
    """Beside each other, over splits and over domains: the first of each has one, the last both."""
    write_folder(root, ("bee", pair[0]), 4, domains=domains, splits=splits)
    write_folder(root, (pair[1],), 3, domains=domains[-1:], splits=splits[-1:])
    with pytest.raises(DataError, match=re.escape(f"several ways: {shown}; rename")):
        load()
    merged = load(merge_spellings=True)
    assert len(merged.class_names) == 2
    total = sum(map(len, (merged.train, merged.validation, merged.test)))
    assert total == len(list(root.rglob("*.png")))


def test_the_most_frequent_spelling_is_kept(load: Load, root: Path) -> None:
    write_folder(root, ("Zebra", "bee", "dog"), 4)
    write_folder(root, ("zebra",), 20)
    write_folder(root, ("Bee",), 2)
    merged = load(merge_spellings=True)
    assert merged.class_names == ("bee", "dog", "zebra")
    for images in (merged.train, merged.test):
        for name, label in zip(images.names, images.labels.tolist(), strict=True):
            assert images.class_names[label] == name.split("/")[0].lower()


def test_domains_are_one_spelling_too(load: Load, root: Path) -> None:
    write_folder(root, ("ant", "bee"), 4, domains=("Photo",), splits=("train",))
    write_folder(root, ("ant", "bee"), 2, domains=("photo",), splits=("test",))
    with pytest.raises(DataError, match="1 domain is spelled in several ways: 'Photo' and 'photo'"):
        load()
    assert load(merge_spellings=True).test.domains == ("Photo",) * 4


def test_attributes_are_found_in_any_normal_form(load: Load, root: Path) -> None:
    write_folder(root, (CAFE[1], "bee"), 4)
    (root / "attributes.json").write_text(json.dumps({CAFE[1]: ["cups"], "bee": ["striped"]}))
    assert load().class_names == ("bee", CAFE[0])


def test_labels_of_a_table(load: Load, root: Path) -> None:
    write_folder(root, ("a",), 4)
    rows = [
        "0.png,train,big_dog;cat",
        "1.png,train,Big Dog",
        "2.png,test,big_dog",
        "3.png,test,cat",
    ]
    text = "\n".join(["file,split,labels", *(f"a/0{row}" for row in rows)])
    (root / "labels.csv").write_text(text)
    with pytest.raises(DataError, match="several ways: 'big dog' and 'Big Dog'"):
        load("csv-folder", setting="multi-label")
    merged = load("csv-folder", setting="multi-label", merge_spellings=True)
    assert merged.class_names == ("big dog", "cat")
    assert merged.train.labels.tolist() == [[1, 1], [1, 0]]
    (root / "labels.csv").write_text(text.replace("Big Dog", "big dog;big_dog"))
    merged = load("csv-folder", setting="multi-label", merge_spellings=True)
    assert merged.train.labels.tolist() == [[1, 1], [1, 0]]


def test_domains_of_a_published_set(load: Load, root: Path) -> None:
    TREES["pacs"](root / "pacs")
    (root / "pacs" / "sketch" / "dog").rename(root / "pacs" / "sketch" / "Dog")
    with pytest.raises(DataError, match="1 class is spelled in several ways: 'dog' and 'Dog'"):
        load("pacs")
    assert load("pacs", merge_spellings=True).class_names == ("dog", "elephant", "giraffe")


def test_classes_of_a_split_file(load: Load, root: Path) -> None:
    write_classes(root / "dtd" / "images", {"a": 4})
    rows = [[f"a/image_000{i}.jpg", i % 2, ("dotted", "Dotted")[i % 2]] for i in range(1, 5)]
    content = {"train": rows[:2], "val": [], "test": rows[2:]}
    file = root / "dtd" / "split_zhou_DescribableTextures.json"
    file.write_text(json.dumps(content))
    with pytest.raises(DataError, match="several ways: 'Dotted' and 'dotted'"):
        load("dtd")


def listing(names: Sequence[str], complete: bool = False) -> Listing:
    pictures = [Picture(Path(f"{i}.png"), (i,)) for i in range(len(names))]
    return Listing("own", tuple(names), {"train": pictures, "test": pictures}, complete=complete)


def test_names_of_a_complete_published_copy_are_taken_as_they_are() -> None:
    official = listing(["T-shirt", "t shirt"], complete=True)
    assert settled(official, merge=False) == official
    assert settled(official, merge=True) == official
    assert settled(listing(["T-shirt", "t shirt"]), merge=False).faults


def test_an_order_that_is_the_data_sets_own_stays_so() -> None:
    merged = settled(listing(["zebra", "ant", "Zebra", "bee"]), merge=True)
    assert merged.class_names == ("Zebra", "ant", "bee")
    assert [picture.labels for picture in merged.splits["train"]] == [(0,), (1,), (0,), (2,)]


def test_split_files_with_the_usual_names_of_splits(tmp_path: Path) -> None:
    write_classes(tmp_path / "pictures", {"a": 3}, "{}.jpg")
    file = tmp_path / "split.json"
    rows = [[f"a/{i}.jpg", 0, "a"] for i in (1, 2, 3)]
    file.write_text(
        json.dumps(dict(zip(("Train", "valid", "Test"), [[row] for row in rows], strict=True)))
    )
    splits = read_split_json(file, tmp_path / "pictures")[1]
    assert list(splits) == ["train", "validation", "test"]
    for strange in ("extra", "dev"):
        keys = dict.fromkeys(("train", "val", "test", strange), rows)
        file.write_text(json.dumps(keys))
        with pytest.raises(DataError, match=r"has the lists .*; allowed: .*, each once"):
            read_split_json(file, tmp_path / "pictures")
    file.write_text(json.dumps({"train": [["a/._1.jpg", 0, "a"]], "test": rows}))
    with pytest.raises(DataError, match=r"names 1 hidden or system files, .*: a/._1.jpg"):
        read_split_json(file, tmp_path / "pictures")


def test_thin_classes() -> None:
    pictures = [Picture(Path(f"{i}.png"), (label,)) for i, label in enumerate((0, 0, 1, 3))]
    thin = Listing(
        "own", ("a", "b", "c", "d"), {"train": pictures[:3], "test": [pictures[3], pictures[0]]}
    )
    assert thin_classes(thin) == [
        "2 classes have a single picture: b, d",
        "split 'train' has no picture of c, d",
        "split 'test' has no picture of b, c",
    ]
    assert thin_classes(Listing("own", ("a",), {"test": pictures[:2]})) == []
