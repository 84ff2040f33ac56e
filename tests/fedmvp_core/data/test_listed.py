"""Readers as data sets: what is listed is what is trained on."""

import csv
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from configured import dataset_of
from data_trees import TREES
from small_pictures import write_picture

from fedmvp_core.config import RunConfig
from fedmvp_core.data import listed
from fedmvp_core.data.image_set import Dataset
from fedmvp_core.data.listing import Picture
from fedmvp_core.data.pixels import files as pixels
from fedmvp_core.data.pixels.pictures import load_picture
from fedmvp_core.data.readers.table import READERS
from fedmvp_core.data.settings import load_setting
from fedmvp_core.data.shards import local_evaluations, make_shards
from fedmvp_core.errors import DataError
from fedmvp_core.registry import DATASETS, find

SIZE = 8
Load = Callable[..., Dataset]


@pytest.fixture
def load(default_config: Callable[..., RunConfig], tmp_path: Path) -> Load:
    """Load a data set by its name, from tmp_path/data unless told otherwise."""

    def by_name(name: str, **overrides: Any) -> Dataset:
        settings = {"dataset": name, "data_dir": str(tmp_path / "data"), **overrides}
        return dataset_of(default_config(**settings), SIZE)

    return by_name


def splits(dataset: Dataset) -> dict[str, Any]:
    return {"train": dataset.train, "validation": dataset.validation, "test": dataset.test}


@pytest.mark.parametrize("name", TREES)
def test_every_data_set_is_what_its_reader_lists(name: str, load: Load, tmp_path: Path) -> None:
    folder = tmp_path / "data" / READERS[name].folder
    TREES[name](folder)
    listing = READERS[name].reader(folder)
    dataset = load(name)
    assert (dataset.name, dataset.class_names) == (listing.name, listing.class_names)
    for split, images in splits(dataset).items():
        pictures = listing.splits.get(split, ())
        assert [folder / name for name in images.names] == [p.path for p in pictures]
        assert images.labels.tolist() == [p.labels[0] for p in pictures]
        assert images.domains == tuple(p.domain for p in pictures)
        for row in range(0, len(pictures), 7):
            alone = images.select(torch.tensor([row])).images
            assert torch.equal(alone[0], load_picture(pictures[row].path, SIZE))


def test_data_dir_may_be_the_folder_itself(load: Load, tmp_path: Path) -> None:
    TREES["dtd"](tmp_path / "textures")
    assert len(load("dtd", data_dir=str(tmp_path / "textures")).class_names) == 3


def test_a_data_set_that_is_not_there(load: Load, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"data-dir '.*data' is not a folder; dtd is to be read"):
        load("dtd")
    (tmp_path / "data").mkdir()
    with pytest.raises(DataError, match=r"data' holds no folder 'dtd', and .*images"):
        load("dtd")


@pytest.mark.parametrize("name", READERS)
def test_every_reader_has_a_loader_of_its_name(name: str) -> None:
    assert find(DATASETS, name) is vars(listed)[name]


# --- several labels


def write_table(folder: Path, rows: list[tuple[str, str, str]]) -> None:
    for number, (file, _, _) in enumerate(rows):
        write_picture(folder / file, number, (10, 9))
    with (folder / "labels.csv").open("w", newline="") as table:
        csv.writer(table).writerows([("file", "split", "labels"), *rows])


ROWS = [
    ("a.png", "train", "sky;sea"),
    ("b.png", "train", ""),
    ("c.png", "train", "boat"),
    ("d.png", "test", "boat;sea;sky"),
]


def test_several_labels_are_ones_and_zeros(load: Load, tmp_path: Path) -> None:
    write_table(tmp_path / "data", ROWS)
    dataset = load("csv-folder")
    assert dataset.class_names == ("boat", "sea", "sky")
    assert dataset.train.multi_label
    assert dataset.train.labels.tolist() == [[0, 1, 1], [0, 0, 0], [1, 0, 0]]
    assert dataset.train.labels.dtype == torch.int64
    assert dataset.test.class_counts() == {"boat": 1, "sea": 1, "sky": 1}
    assert dataset.validation.labels.shape == (0, 3)
    assert dataset.train.images.shape == (3, 3, SIZE, SIZE)


def test_labels_of_no_pictures() -> None:
    assert listed.labels_of([], 3, False).shape == (0,)
    unlabelled = [Picture(Path("a"), ())]
    assert listed.labels_of(unlabelled, 2, True).tolist() == [[0, 0]]


# --- pictures that cannot be read


def test_a_bad_picture_is_an_error_when_it_is_read(load: Load, tmp_path: Path) -> None:
    write_table(tmp_path / "data", ROWS)
    (tmp_path / "data" / "b.png").write_text("no picture")
    dataset = load("csv-folder")
    assert dataset.test.images.any()
    with pytest.raises(DataError, match=r"b\.png' cannot be read as a picture"):
        _ = dataset.train.images


def test_a_skipped_picture_leaves_everything_alike(
    load: Load, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_table(tmp_path / "data", ROWS)
    sound = load("csv-folder").train.images
    (tmp_path / "data" / "b.png").write_bytes(b"")
    with caplog.at_level(logging.WARNING):
        train = load("csv-folder", on_bad_image="skip").train
    assert train.names == ("a.png", "c.png")
    assert train.labels.tolist() == [[0, 1, 1], [1, 0, 0]]
    assert len(train.domains) == 2
    assert torch.equal(train.images, sound[[0, 2]])
    assert "1 of 3 pictures cannot be read and are skipped" in caplog.text
    assert "b.png' cannot be read as a picture" in caplog.text


def test_a_split_of_bad_pictures_alone_is_an_error(load: Load, tmp_path: Path) -> None:
    write_table(tmp_path / "data", ROWS)
    (tmp_path / "data" / "d.png").unlink()
    (tmp_path / "data" / "d.png").mkdir()
    with pytest.raises(DataError, match=r"\(test\): none of 1 pictures can be read: .*d\.png'"):
        load("csv-folder", on_bad_image="skip")


@pytest.mark.parametrize("kept", [True, False])
def test_decode_cache(load: Load, tmp_path: Path, kept: bool) -> None:
    write_table(tmp_path / "data", ROWS)
    assert load("csv-folder", decode_cache=kept).train.images.any()
    assert (tmp_path / "cache" / "pictures").exists() == kept


# --- what a federation decodes


def test_few_shots_decode_few_pictures(
    tmp_path: Path, default_config: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 100 pictures: the client's 2 of each of its 5 classes, and each test picture once."""
    TREES["eurosat"](tmp_path / "data" / "eurosat")
    config = default_config(dataset="eurosat", data_dir=str(tmp_path / "data"), shots=2)
    opened: list[Path] = []

    def counted(path: Path, size: int) -> torch.Tensor:
        opened.append(path)
        return load_picture(path, size)

    monkeypatch.setattr(pixels, "load_picture", counted)
    setting = load_setting(config, SIZE)
    shards = make_shards(setting, 2, config)
    assert opened == []
    assert sum(len(shard.images.images) for shard in shards) == 10
    assert len(opened) == 10
    for evaluation in (*setting.evaluations, *local_evaluations(setting, shards)):
        assert len(evaluation.images.images) == len(evaluation.images)
    tested = sum(len(evaluation.images) for evaluation in setting.evaluations)
    assert len(opened) == 10 + tested
