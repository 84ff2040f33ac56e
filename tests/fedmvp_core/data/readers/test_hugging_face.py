"""Data sets of the Hugging Face hub become folders that `imagefolder` reads, and `hf:NAME` too."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from configured import dataset_of
from PIL import Image
from run_configs import run_config
from small_pictures import write_folder as write_pictures

from fedmvp_core.data.catalogue import check_data_dir, class_template
from fedmvp_core.data.imagefolder import list_folder
from fedmvp_core.data.readers import hugging_face
from fedmvp_core.errors import ConfigError, DataError


def rows(*class_names: str) -> list[hugging_face.HubPicture]:
    return [(Image.new("L", (4, 4), number), name) for number, name in enumerate(class_names)]


def test_given_splits_are_kept(tmp_path: Path) -> None:
    splits = {"train": rows("cat", "dog", "dog"), "test": rows("dog", "cat")}
    hugging_face.write_folder(splits, tmp_path / "pets")
    listing = list_folder(tmp_path / "pets", seed=1)
    assert listing.class_names == ("cat", "dog")
    assert [len(listing.splits[split]) for split in ("train", "test")] == [3, 2]


def test_without_a_test_split_pictures_are_split_by_seed(tmp_path: Path) -> None:
    splits = {"train": rows(*["cat", "dog"] * 5), "validation": rows(*["cat", "dog"] * 5)}
    hugging_face.write_folder(splits, tmp_path / "pets")
    listing = list_folder(tmp_path / "pets", seed=1)
    assert sum(map(len, listing.splits.values())) == 20
    assert all(listing.splits[split] for split in ("train", "validation", "test"))


@pytest.mark.parametrize("name", ["../up", "..", "a/../../b"])
def test_a_class_name_never_leaves_the_folder(tmp_path: Path, name: str) -> None:
    hugging_face.write_folder({"train": rows(name)}, tmp_path / "pets")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pets"]


def test_what_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[hugging_face.HubPicture]:
        yield from rows("cat")
        raise OSError("no space left")

    with pytest.raises(DataError, match=r"pets' cannot be written: no space left"):
        hugging_face.write_folder({"train": broken()}, tmp_path / "pets")
    assert list(tmp_path.iterdir()) == []


def test_without_the_extra_it_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "flwr_datasets", None)
    with pytest.raises(DataError, match=r"hf:a/b needs flwr-datasets: pip install 'fedmvp\[hub\]'"):
        hugging_face.prepare("hf:a/b", tmp_path)


def test_through_flwr_datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("flwr_datasets")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    for split, pictures in (("train", 3), ("test", 2)):
        write_pictures(tmp_path / "source", ("ant", "bee"), pictures, splits=(split,))
    folder = hugging_face.prepare(f"hf:{tmp_path / 'source'}", tmp_path / "data")
    listing = list_folder(folder, seed=1)
    assert listing.class_names == ("ant", "bee")
    assert [len(listing.splits[split]) for split in ("train", "test")] == [6, 4]


def test_what_was_prepared_is_a_data_set_by_name(tmp_path: Path) -> None:
    splits = {"train": rows("cat", "dog", "dog"), "test": rows("dog", "cat")}
    hugging_face.write_folder(splits, tmp_path / "someone--pets")
    config = run_config(dataset="hf:someone/pets", data_dir=str(tmp_path))
    dataset = dataset_of(config, 8)
    assert dataset.class_names == ("cat", "dog")
    assert dataset.train.labels.tolist() == [0, 1, 1]
    assert class_template(config.data) == class_template(
        config.with_values(dataset="imagefolder").data
    )


def test_what_was_not_prepared_names_the_command(tmp_path: Path) -> None:
    config = run_config(dataset="hf:someone/pets", data_dir=str(tmp_path))
    command = f"fedmvp datasets prepare hf:someone/pets --root {tmp_path}"
    with pytest.raises(DataError, match=re.escape(command)):
        dataset_of(config, 8)


@pytest.mark.parametrize("name", ["hf:", "hf:/"])
def test_a_prefix_alone_is_no_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=f"dataset is '{name}'; needed: hf: and a name"):
        hugging_face.prepare(name, tmp_path)


def test_a_hub_name_needs_a_data_dir() -> None:
    with pytest.raises(ConfigError, match="data-dir is empty; dataset 'hf:someone/pets' needs"):
        check_data_dir(run_config(dataset="hf:someone/pets").data)


def test_pictures_of_every_mode_are_written_as_they_look(tmp_path: Path) -> None:
    """Clear ones on white, and 16 bits scaled; Pillow's own way makes both black or white."""
    clear = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    deep = Image.fromarray(np.full((4, 4), 32896, dtype=np.uint16))
    hugging_face.write_folder({"train": [(clear, "a"), (deep, "b")]}, tmp_path / "set")
    for name, value in (("a", 255), ("b", 128)):
        (path,) = (tmp_path / "set" / name).iterdir()
        assert np.unique(np.asarray(Image.open(path))).tolist() == [value]


def test_a_picture_whose_numbers_have_no_scale_leaves_nothing(tmp_path: Path) -> None:
    odd = Image.fromarray(np.full((4, 4), -1, dtype=np.float32))
    with pytest.raises(DataError, match="set' cannot be written: its 32-bit floats go from -1"):
        hugging_face.write_folder({"train": [(odd, "a")]}, tmp_path / "set")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("and/or", "and-or"), "classes 'and/or' and 'and-or' would share the folder 'and-or'"),
        ((".net", "net"), "classes '.net' and 'net' would share the folder 'net'"),
        (("cat", "lost+found"), "class 'lost\\+found' is called as a system's own folders are"),
    ],
)
def test_no_class_is_merged_or_lost(tmp_path: Path, names: tuple[str, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        hugging_face.write_folder({"train": rows(*names)}, tmp_path / "pets")
    assert list(tmp_path.iterdir()) == []
