"""MS COCO 2014 (Lin et al., ECCV 2014): 80 classes, 82,783 and 40,504 pictures.

coco/{train2014,val2014}/COCO_train2014_000000000009.jpg
coco/annotations/instances_{train,val}2014.json

Test is val2014. Classes are in the order of their category ids. Crowd regions (`iscrowd`) give no
label. OpenFedML's protocol takes only pictures with five labels or more: `min_labels`.
"""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from fedmvp_core.data.listing import Listing, Picture
from fedmvp_core.data.readers.folders import check_files
from fedmvp_core.data.readers.multilabel.tables import make_multi_label_listing
from fedmvp_core.errors import DataError

PARTS = {"train": "train2014", "test": "val2014"}
KEPT = frozenset(
    {"images", "annotations", "categories", "id", "name", "file_name", "image_id", "category_id",
     "iscrowd"}
)  # fmt: skip


def coco2014(folder: Path, min_labels: int = 0) -> Listing:
    """min_labels: pictures with fewer are left out, of both splits."""
    splits, names = {}, {}
    for split, part in PARTS.items():
        file = folder / "annotations" / f"instances_{part}.json"
        names[split], splits[split] = _read(file, folder / part)
    if names["train"] != names["test"]:
        raise DataError(f"coco2014: the two annotation files in '{folder}' differ in categories")
    return make_multi_label_listing("coco2014", names["train"], splits, min_labels)


def _read(file: Path, pictures: Path) -> tuple[list[str], list[Picture]]:
    content = _parsed(file)
    try:
        categories = sorted((row["id"], row["name"]) for row in content["categories"])
        label_of = {identifier: label for label, (identifier, _) in enumerate(categories)}
        labels: dict[int, set[int]] = defaultdict(set)
        for row in content["annotations"]:
            if not row["iscrowd"]:
                labels[row["image_id"]].add(label_of[row["category_id"]])
        images = sorted({row["id"]: row["file_name"] for row in content["images"]}.items())
        _check_texts([name for _, name in (*categories, *images)])
    except (KeyError, TypeError) as error:
        raise DataError(f"'{file}' is no COCO annotation of instances: {error!r}") from error
    check_files(pictures, (name for _, name in images), file)
    found = [
        Picture(pictures / name, tuple(sorted(labels[identifier]))) for identifier, name in images
    ]
    return [name for _, name in categories], found


def _check_texts(names: list[Any]) -> None:
    """Raises TypeError where a name of a category or of a picture is no text."""
    others = [name for name in names if not isinstance(name, str)]
    if others:
        raise TypeError(f"the name {others[0]!r:.80} is no text")


def _parsed(file: Path) -> dict[str, Any]:
    try:
        # Outlines are nine tenths of the file; dropped while parsing, they never pile up.
        content = json.loads(file.read_bytes(), object_hook=_without_outlines)
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"coco2014: '{file}' cannot be read as JSON: {error}") from error
    if not isinstance(content, dict):
        raise DataError(f"'{file}' is no COCO annotation of instances: no object")
    return content


def _without_outlines(parsed: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in parsed.items() if key in KEPT}
