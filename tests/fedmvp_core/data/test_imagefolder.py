"""Anyone's own pictures, in every layout, with every mishap."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from small_pictures import write_folder, write_picture

from fedmvp_core.config import RunConfig
from fedmvp_core.data import imagefolder
from fedmvp_core.data.image_set import Dataset
from fedmvp_core.data.pixels.pictures import load_picture
from fedmvp_core.errors import DataError

CLASSES = ("ant", "bee")
Load = Callable[..., Dataset]


@pytest.fixture
def load(default_config: Callable[..., RunConfig], tmp_path: Path) -> Load:
    """Load tmp_path/pictures at 16 pixels."""

    def load_folder(**overrides: Any) -> Dataset:
        config = default_config(
            dataset="imagefolder", data_dir=str(tmp_path / "pictures"), **overrides
        )
        return imagefolder.load(config.data, config.run, 16)

    return load_folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "pictures"


def sizes(dataset: Dataset) -> tuple[int, int, int]:
    return len(dataset.train), len(dataset.validation), len(dataset.test)


# --- layouts


def test_classes_only(load: Load, root: Path) -> None:
    write_folder(root, CLASSES, 10)
    dataset = load()
    assert dataset.name == "pictures"
    assert dataset.class_names == CLASSES
    assert sizes(dataset) == (12, 4, 4)
    assert dataset.domains == ("",)
    assert dataset.attributes is None
    assert dataset.train.class_counts() == {"ant": 6, "bee": 6}
    every = {*dataset.train.names, *dataset.validation.names, *dataset.test.names}
    assert len(every) == 20


def test_domains_and_classes(load: Load, root: Path) -> None:
    write_folder(root, CLASSES, 5, domains=("photo", "art"))
    dataset = load()
    assert dataset.domains == ("art", "photo")
    assert sizes(dataset) == (12, 4, 4)
    assert dataset.test.domain_counts() == {"art": 2, "photo": 2}
    assert dataset.class_names == CLASSES


def test_given_splits(load: Load, root: Path) -> None:
    write_folder(root, CLASSES, 3, splits=("train",))
    write_folder(root, CLASSES, 2, splits=("test", "val"))
    dataset = load()
    assert sizes(dataset) == (6, 4, 4)
    assert all(name.startswith("train/") for name in dataset.train.names)
    assert all(name.startswith("val/") for name in dataset.validation.names)


def test_given_splits_with_domains(load: Load, root: Path) -> None:
    write_folder(root, CLASSES, 2, domains=("photo", "art"), splits=("train", "test"))
    dataset = load()
    assert sizes(dataset) == (8, 0, 8)
    assert dataset.domains == ("art", "photo")


def test_a_class_called_train(load: Load, root: Path) -> None:
    write_folder(root, ("bus", "train"), 10)
    dataset = load()
    assert dataset.class_names == ("bus", "train")
    assert sizes(dataset) == (12, 4, 4)


def test_labels_are_those_of_the_folders(load: Load, root: Path) -> None:
    write_folder(root, ("zebra", "ant", "road_vehicle"), 4)
    dataset = load()
    assert dataset.class_names == ("ant", "road vehicle", "zebra")
    for images in (dataset.train, dataset.test):
        for name, label in zip(images.names, images.labels.tolist(), strict=True):
            folder = name.split("/")[0].replace("_", " ")
            assert images.class_names[label] == folder


def test_pixels_are_those_of_the_files(load: Load, root: Path) -> None:
    write_folder(root, CLASSES, 5)
    dataset = load()
    for images in (dataset.train, dataset.test):
        for name, pixels in zip(images.names, images.images, strict=True):
            assert torch.equal(pixels, load_picture(root / name, 16))


def test_attributes(load: Load, root: Path) -> None:
    write_folder(root, CLASSES, 5)
    (root / "attributes.json").write_text(json.dumps({"bee": ["striped"], "ant": ["tiny", "red"]}))
    assert load().attributes == {"bee": ("striped",), "ant": ("tiny", "red")}


# --- the seeded split


def test_the_split_is_reproducible_and_seeded(load: Load, root: Path) -> None:
    write_folder(root, CLASSES, 10)
    first, again, other = load(), load(), load(seed=2)
    assert first.train.names == again.train.names
    assert first.test.names == again.test.names
    assert first.train.names != other.train.names


@pytest.mark.parametrize(("pictures", "expected"), [(1, 1), (2, 1), (3, 2), (4, 2), (50, 30)])
def test_every_class_is_trained(load: Load, root: Path, pictures: int, expected: int) -> None:
    write_folder(root, ("ant",), pictures)
    write_folder(root, ("bee",), 20)
    assert load().train.class_counts()["ant"] == expected


# --- mishaps


def test_a_missing_folder(load: Load) -> None:
    with pytest.raises(DataError, match=r"data-dir '.*pictures' is not a folder"):
        load()


def test_an_empty_folder(load: Load, root: Path) -> None:
    (root / "ant").mkdir(parents=True)
    (root / "ant" / "notes.txt").write_text("no picture")
    with pytest.raises(DataError, match=r"holds no pictures \((.avif, )?.bmp, .*\.webp\)"):
        load()


def test_unequal_depth(load: Load, root: Path) -> None:
    write_folder(root, CLASSES, 2)
    write_folder(root, CLASSES, 2, domains=("photo",))
    with pytest.raises(DataError, match=r"unequal depth; allowed: \[split/\]\[domain/\]class/pict"):
        load()


def test_split_folders_beside_class_folders(load: Load, root: Path) -> None:
    write_folder(root, CLASSES, 2)
    write_folder(root, CLASSES, 2, splits=("test",))
    with pytest.raises(DataError, match="unequal depth"):
        load()


def test_pictures_outside_any_class_and_too_deep(load: Load, root: Path) -> None:
    write_picture(root / "loose.png", 0)
    with pytest.raises(DataError, match=r"loose.png' lies 0 folders deep; allowed"):
        load()
    (root / "loose.png").unlink()
    write_picture(root / "a" / "b" / "c" / "deep.png", 0)
    with pytest.raises(DataError, match=r"deep.png' lies 3 folders deep; allowed"):
        load()


def test_a_split_without_pictures(load: Load, root: Path) -> None:
    write_folder(root, CLASSES, 2, splits=("train", "val"))
    with pytest.raises(DataError, match="no pictures for the test split"):
        load()


def test_a_file_that_is_no_picture(load: Load, root: Path) -> None:
    write_folder(root, CLASSES, 4)
    (root / "bee" / "00.png").write_text("words")
    dataset = load()
    every = (dataset.train, dataset.validation, dataset.test)
    with pytest.raises(DataError, match=r"bee/00.png' cannot be read as a picture"):
        _ = [images.images for images in every]


def test_no_picture_is_opened_before_its_pixels_are_read(load: Load, root: Path) -> None:
    write_folder(root, CLASSES, 4)
    for path in root.rglob("*.png"):
        path.write_text("words")
    dataset = load()
    assert dataset.train.of_classes(["bee"]).class_counts() == {"bee": 2}


@pytest.mark.parametrize("mode", ["RGBA", "P", "I;16", "CMYK", "L", "1"])
def test_pictures_of_other_modes(load: Load, root: Path, mode: str) -> None:
    write_folder(root, CLASSES, 4)
    suffix = ".tif" if mode == "CMYK" else ".png"
    Image.new(mode, (20, 30)).save(root / "bee" / f"other{suffix}")
    dataset = load()
    read = [images.images for images in (dataset.train, dataset.validation, dataset.test)]
    assert sum(map(len, read)) == 9
