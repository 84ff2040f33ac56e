"""Fingerprints of splits: what makes them others, and what is said of it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from small_pictures import write_folder, write_picture

from fedmvp_core.config import RunConfig
from fedmvp_core.data.fingerprints import Fingerprint, changes, fingerprint, fingerprints, sentence
from fedmvp_core.data.image_set import ImageSet
from fedmvp_core.data.settings import load_setting

SIZE = 8
ROWS = [("a.png", "ant"), ("b.png", "ant"), ("c.png", "bee")]


def images(
    rows: list[tuple[str, str]],
    classes: tuple[str, ...] = ("ant", "bee"),
    domains: tuple[str, ...] = (),
) -> ImageSet:
    return ImageSet(
        torch.zeros(len(rows), 3, SIZE, SIZE, dtype=torch.uint8),
        torch.tensor([classes.index(label) for _, label in rows]),
        domains or ("",) * len(rows),
        tuple(name for name, _ in rows),
        classes,
    )


def several(labels: list[list[int]]) -> ImageSet:
    """Images of several labels: 1 there, 0 not, -1 hidden."""
    plain = images([(f"{row}.png", "ant") for row in range(len(labels))])
    return plain.with_labels(torch.tensor(labels))


def change(before: Fingerprint, now: Fingerprint) -> str:
    """What is said of a split, after the first went through JSON."""
    return sentence(changes(json.loads(json.dumps({"test": before})), {"test": now}))


def test_the_order_of_the_images_makes_no_difference() -> None:
    assert change(fingerprint(images(ROWS)), fingerprint(images(ROWS[::-1]))) == ""


@pytest.mark.parametrize(
    ("rows", "classes", "said"),
    [
        (ROWS[1:], ("ant", "bee"), "has 2 pictures, had 3, pictures of ant 1, had 2"),
        ([*ROWS, ("d.png", "bee")], ("ant", "bee"), "has 4 pictures, had 3, pictures of bee 2"),
        ([*ROWS, ("d.png", "cow")], ("ant", "bee", "cow"), "1 class more (cow)"),
        (ROWS, ("ant", "bee", "cow", "dog"), "2 classes more (cow, dog)"),
        (ROWS[:2], ("ant",), "has 2 pictures, had 3, 1 class gone (bee)"),
        ([("A.png", "ant"), *ROWS[1:]], ("ant", "bee"), "with other names or labels in ant"),
        ([ROWS[0], ("b.png", "bee"), ROWS[2]], ("ant", "bee"), "ant 1, had 2, bee 2, had 1"),
        (
            [("a.png", "bee"), ("b.png", "ant"), ("c.png", "ant")],
            ("ant", "bee"),
            "with other names or labels in ant, bee",
        ),
        (ROWS, ("bee", "ant"), "has its classes in another order"),
    ],
)
def test_what_differs_is_said(
    rows: list[tuple[str, str]], classes: tuple[str, ...], said: str
) -> None:
    found = change(fingerprint(images(ROWS)), fingerprint(images(rows, classes)))
    assert found.startswith("split 'test' ")
    assert said in found


def test_another_domain_is_another_picture() -> None:
    drawn = fingerprint(images(ROWS, domains=("drawn", "drawn", "photo")))
    photo = fingerprint(images(ROWS, domains=("drawn", "photo", "photo")))
    assert "other names or labels in ant" in change(drawn, photo)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([[1, 0], [1, 0]], "bee 0, had 1"),
        ([[1, 1], [0, 0]], "other names or labels in bee"),
        ([[1, -1], [0, 1]], "or other labels hidden"),
        ([[1, 0], [0, 1], [0, 0]], "has 3 pictures, had 2"),
    ],
)
def test_one_of_several_labels(labels: list[list[int]], said: str) -> None:
    assert said in change(fingerprint(several([[1, 0], [0, 1]])), fingerprint(several(labels)))


def test_names_that_run_together_are_told_apart() -> None:
    one, other = images([("ab", "ant")], domains=("c",)), images([("a", "ant")], domains=("bc",))
    assert fingerprint(one)["sha256"] != fingerprint(other)["sha256"]


def test_a_name_that_is_not_utf8_has_a_hash() -> None:
    assert fingerprint(images([("caf\udce9.png", "ant")]))["images"] == 1


def test_a_split_that_comes_or_goes() -> None:
    one = fingerprint(images(ROWS))
    assert changes({"a": one}, {"b": one}) == {"a": "is gone", "b": "is new"}


@pytest.fixture
def listed(
    default_config: Callable[..., RunConfig], tmp_path: Path
) -> Callable[[str], dict[str, Fingerprint]]:
    """A function from a folder's name to the fingerprints of the setting made of it."""

    def make(name: str, **keys: object) -> dict[str, Fingerprint]:
        place = {"dataset": "imagefolder", "data_dir": str(tmp_path / name)}
        return fingerprints(load_setting(default_config(**place, **keys), SIZE))

    write_folder(tmp_path / "here", ("ant", "bee", "cow"), 5)
    return make


def test_a_moved_folder_has_the_same_and_tells_no_name(
    listed: Callable[..., dict[str, Fingerprint]], tmp_path: Path
) -> None:
    before = listed("here")
    assert {"train", "validation", "base", "new"} == set(before)
    text = json.dumps(before)
    assert "here" not in text
    assert ".png" not in text
    shutil.move(tmp_path / "here", tmp_path / "there")
    assert listed("there") == before


def test_no_picture_is_opened(
    listed: Callable[..., dict[str, Fingerprint]], tmp_path: Path
) -> None:
    before = listed("here")
    (tmp_path / "here" / "ant" / "00.png").write_bytes(b"no picture")
    assert listed("here") == before


def test_a_seed_cuts_other_splits(listed: Callable[..., dict[str, Fingerprint]]) -> None:
    assert "train" in changes(listed("here"), listed("here", seed=2))


def test_a_csv_whose_row_is_changed(
    default_config: Callable[..., RunConfig], tmp_path: Path
) -> None:
    labels = ("bee", "ant", "bee", "ant")
    lines = [f"{s}-{n}.png,{x},{s}" for s in ("train", "test") for n, x in enumerate(labels)]
    for line in lines:
        write_picture(tmp_path / line.split(",")[0], 1)
    table = tmp_path / "labels.csv"
    config = default_config(
        dataset="csv-folder", data_dir=str(tmp_path), setting="multi-label", partition="iid"
    )

    def found(rows: list[str]) -> dict[str, Fingerprint]:
        table.write_text("\n".join(["file,labels,split", *rows]) + "\n")
        return fingerprints(load_setting(config, SIZE))

    before = found(lines)
    more = [lines[-1].replace("ant", "ant;bee"), *lines[:-1]]
    assert set(changes(before, found(more))) == {"all"}
