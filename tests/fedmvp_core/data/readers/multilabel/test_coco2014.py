"""COCO 2014: its annotation files, with crowds, outlines and pictures without anything."""

import json
from pathlib import Path
from typing import Any

import pytest

from fedmvp_core.data.readers.multilabel.coco2014 import coco2014
from fedmvp_core.errors import DataError

# ids are neither dense nor in the order of the names, as in the real file
CATEGORIES = {1: "person", 18: "dog", 3: "car", 90: "toothbrush"}
# image id -> (category, is a crowd)
TRAIN = {9: [(1, 0), (1, 0), (90, 0)], 25: [(18, 0), (1, 1)], 30: []}
TEST = {42: [(3, 0), (18, 0), (1, 0)], 73: [(90, 0)]}


def annotations(part: str, images: dict[int, list[tuple[int, int]]]) -> dict[str, Any]:
    things = [(image, *thing) for image, of_image in images.items() for thing in of_image]
    return {
        "info": {"year": 2014},
        "licenses": [{"id": 1, "name": "a licence", "url": "http://example.org"}],
        "images": [
            {"id": i, "file_name": f"COCO_{part}_{i:012d}.jpg", "license": 1, "height": 480}
            for i in reversed(images)
        ],
        "annotations": [
            {
                "id": 1000 + number,
                "image_id": image,
                "category_id": category,
                "iscrowd": crowd,
                "segmentation": {"counts": [5, 6], "size": [2, 2]} if crowd else [[1.5, 2.0, 3.5]],
                "bbox": [1.0, 2.0, 3.0, 4.0],
            }
            for number, (image, category, crowd) in enumerate(things)
        ],
        "categories": [
            {"supercategory": "thing", "id": i, "name": name} for i, name in CATEGORIES.items()
        ],
    }


def write_part(folder: Path, part: str, content: dict[str, Any]) -> Path:
    (folder / "annotations").mkdir(exist_ok=True)
    (folder / part).mkdir(exist_ok=True)
    for image in content["images"]:
        (folder / part / image["file_name"]).touch()
    file = folder / "annotations" / f"instances_{part}.json"
    file.write_text(json.dumps(content))
    return file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_part(tmp_path, "train2014", annotations("train2014", TRAIN))
    write_part(tmp_path, "val2014", annotations("val2014", TEST))
    return tmp_path


def test_labels_and_splits(folder: Path) -> None:
    listing = coco2014(folder)
    assert listing.multi_label
    assert listing.class_names == ("person", "car", "dog", "toothbrush")  # by category id
    assert {p.path.name: p.labels for p in listing.splits["train"]} == {
        "COCO_train2014_000000000009.jpg": (0, 3),
        "COCO_train2014_000000000025.jpg": (2,),
        "COCO_train2014_000000000030.jpg": (),
    }
    assert {p.path.name: p.labels for p in listing.splits["test"]} == {
        "COCO_val2014_000000000042.jpg": (0, 1, 2),
        "COCO_val2014_000000000073.jpg": (3,),
    }
    assert all(p.path.is_file() for pictures in listing.splits.values() for p in pictures)


def test_pictures_with_few_labels_can_be_left_out(folder: Path) -> None:
    listing = coco2014(folder, min_labels=2)
    assert [p.path.name for p in listing.splits["train"]] == ["COCO_train2014_000000000009.jpg"]
    assert [len(p.labels) for p in listing.splits["test"]] == [3]
    assert listing.notes[0] == (
        "split 'train': 2 of 3 pictures have fewer than 2 labels and are left out"
    )
    assert "split 'train' has no picture of car, dog" in listing.notes
    with pytest.raises(DataError, match="split 'train' has no pictures with 3 labels or more"):
        coco2014(folder, min_labels=3)


def test_what_is_missing_is_named(folder: Path) -> None:
    (folder / "val2014" / "COCO_val2014_000000000042.jpg").unlink()
    with pytest.raises(DataError, match=r"names 1 pictures that are not in .*000000000042.jpg"):
        coco2014(folder)
    (folder / "annotations" / "instances_train2014.json").unlink()
    with pytest.raises(DataError, match=r"instances_train2014.json' cannot be read as JSON"):
        coco2014(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content.pop("categories"), "KeyError.*categories"),
        (lambda content: content["annotations"][0].update(category_id=2), r"KeyError\(2\)"),
        (lambda content: content["images"][0].pop("file_name"), "KeyError.*file_name"),
        (lambda content: content.update(annotations=3), "TypeError"),
    ],
)
def test_other_json_is_refused(folder: Path, change: Any, message: str) -> None:
    content = annotations("val2014", TEST)
    change(content)
    (folder / "annotations" / "instances_val2014.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=f"val2014.json' is no COCO annotation.*{message}"):
        coco2014(folder)


def test_files_of_different_categories_are_refused(folder: Path) -> None:
    content = annotations("val2014", TEST)
    content["categories"][0]["name"] = "human"
    (folder / "annotations" / "instances_val2014.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"two annotation files in .* differ in categories"):
        coco2014(folder)
    (folder / "annotations" / "instances_val2014.json").write_text("[]")
    with pytest.raises(DataError, match="is no COCO annotation of instances: no object"):
        coco2014(folder)
