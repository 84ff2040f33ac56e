"""Data sets of the Hugging Face hub become folders that `imagefolder` reads."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from small_pictures import write_folder as write_pictures

from fedmvp_core.data.imagefolder import list_folder
from fedmvp_core.data.readers import hugging_face
from fedmvp_core.errors import DataError


def rows(*class_names: str) -> list[hugging_face.Row]:
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
    def broken() -> Iterator[hugging_face.Row]:
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
