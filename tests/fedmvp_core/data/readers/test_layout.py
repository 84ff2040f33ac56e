"""What the folders above a picture are taken for: splits in every spelling, domains, classes."""

from collections.abc import Callable
from pathlib import Path

import pytest
from small_pictures import write_folder, write_picture

from fedmvp_core.data.imagefolder import list_folder
from fedmvp_core.data.readers.splits import speaks_of_split, split_named

CLASSES = ("ant", "bee")
Write = Callable[..., Path]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "pictures"


@pytest.mark.parametrize(
    ("split", "names"),
    [
        ("train", ("train", "Train", "TRAINING", "training_set", "train-images", "TrainData")),
        ("validation", ("val", "Valid", "VALIDATION", "dev", "Dev-set", "valid_images")),
        ("test", ("test", "Testing", "TEST_SET", "test images", "testdata", "Test")),
        ("", ("photo", "trains", "devices", "valley", "contest", "set", "latest", "eval", "")),
    ],
)
def test_usual_names_of_splits(split: str, names: tuple[str, ...]) -> None:
    assert {name: split_named(name) for name in names} == dict.fromkeys(names, split)


@pytest.mark.parametrize("name", ["seg_train", "train2017", "my test", "eval", "Holdout", "pred"])
def test_names_that_speak_of_splits(name: str) -> None:
    assert speaks_of_split(name)
    assert not speaks_of_split("trains")


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [
        ("Training", "", "Testing"),
        ("train", "valid", "test"),
        ("Train", "Val", "Test"),
        ("TRAIN", "DEV", "TEST"),
        ("training_set", "Validation", "test_set"),
    ],
)
def test_splits_of_public_archives(train: str, validation: str, test: str, root: Path) -> None:
    for folder, pictures in ((train, 3), (validation, 1), (test, 2)):
        if folder:
            write_folder(root, CLASSES, pictures, splits=(folder,))
    listing = list_folder(root, seed=1)
    assert listing.class_names == CLASSES
    assert listing.faults == ()
    found = {split: len(pictures) for split, pictures in listing.splits.items()}
    assert found == {"train": 6, **({"validation": 2} if validation else {}), "test": 4}
    for split, pictures in listing.splits.items():
        folder = {"train": train, "validation": validation, "test": test}[split]
        assert {p.path.relative_to(root).parts[0] for p in pictures} == {folder}
        assert {p.domain for p in pictures} == {""}
    (note,) = listing.notes
    assert f"'{train}' for train" in note
    assert f"'{test}' for test" in note


def test_folders_of_one_split_are_put_together_and_said(root: Path) -> None:
    write_folder(root, CLASSES, 2, splits=("train", "Training", "test"))
    listing = list_folder(root, seed=1)
    assert len(listing.splits["train"]) == 8
    assert listing.notes == (
        "folders taken for splits: 'test' for test, 'Training' and 'train' for train",
    )


def test_a_folder_beside_the_splits_is_refused_with_a_file(root: Path) -> None:
    write_folder(root, CLASSES, 2, splits=("train", "test", "unlabeled"))
    (fault,) = list_folder(root, seed=1).faults
    assert "4 lie as domain/class/picture ('unlabeled/ant/00.png')" in fault


def test_splits_inside_domains_or_classes_are_refused(root: Path) -> None:
    write_folder(root, ("train", "test"), 2, domains=("ant", "bee"))
    (fault,) = list_folder(root, seed=1).faults
    assert "lie right inside folders named as splits (test, train), which would be classes" in fault


def test_splits_without_classes_are_refused(root: Path) -> None:
    write_folder(root, ("Training", "Testing", "Valid"), 2)
    (fault,) = list_folder(root, seed=1).faults
    assert "named as splits (Testing, Training, Valid), which would be classes" in fault


def test_a_folder_around_all_is_guessed(root: Path) -> None:
    write_folder(root / "archive", CLASSES, 2, splits=("train", "test"))
    (fault,) = list_folder(root, seed=1).faults
    assert fault == (
        f"'{root}/archive/test/ant/00.png' lies 3 folders deep, and 7 more pictures do; allowed: "
        f"[split/][domain/]class/picture; is data-dir meant to be '{root}/archive'?"
    )
    write_picture(root / "loose.png", 1)
    assert [fault.split("lies ")[1][0] for fault in list_folder(root, seed=1).faults] == ["0", "3"]


def test_gaps_of_domains_are_noted(root: Path) -> None:
    write_folder(root, CLASSES, 5, domains=("photo",))
    write_folder(root, ("ant",), 5, domains=("art",))
    assert list_folder(root, seed=1).notes == (
        "folders taken for domains: art, photo",
        "domain 'art' has no picture of bee",
    )
