"""Pictures that are trained on and tested on, and names that are no UTF-8."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from configured import dataset_of
from data_trees import TREES
from small_pictures import write_folder, write_picture

from fedmvp_core.config import RunConfig
from fedmvp_core.data.findings import leaks, name_faults, twins
from fedmvp_core.data.readers.table import READERS
from fedmvp_core.errors import ConfigError, DataError, printable

LATIN = os.fsdecode(b"caf\xe9")
Configured = Callable[..., RunConfig]


def test_leaks_are_counted_and_named() -> None:
    names = {"train": ["a", "b", "c", "d"], "test": ["d", "c", "b", "a", "e"], "validation": ["d"]}
    assert leaks(names) == [
        "4 pictures are in both 'train' and 'test': a, b, c and 1 more",
        "1 picture is in both 'train' and 'validation': d",
    ]


def test_what_is_never_trained_on_may_be_in_both_others() -> None:
    assert leaks({"train": ["a"], "test": ["b"], "validation": ["b"]}) == []
    assert leaks({"test": ["b"]}) == []


def table(folder: Path, *rows: str) -> Path:
    folder.mkdir()
    for number, name in enumerate(("a.png", "b.png", "c.png")):
        write_picture(folder / name, number, (9, 9))
    (folder / "labels.csv").write_text("\n".join(["file,split,labels", *rows]) + "\n")
    return folder


@pytest.mark.parametrize("again", ["a.png", "./a.png", ".\\a.png", "{folder}/a.png"])
def test_a_leak_of_a_table_is_refused_by_name_unless_allowed(
    tmp_path: Path, default_config: Configured, again: str
) -> None:
    folder = tmp_path / "own"
    table(folder, "a.png,train,dog", f"{again.format(folder=folder)},test,dog", "b.png,test,cat")
    config = default_config(dataset="csv-folder", data_dir=str(folder))
    message = r"own in '.*own': 1 picture is in both 'train' and 'test': a\.png; .*allow-leaks=true"
    with pytest.raises(DataError, match=message):
        dataset_of(config, 8)
    allowed = dataset_of(config.with_values(allow_leaks=True), 8)
    assert allowed.train.names == ("a.png",)
    assert allowed.test.names == ("a.png", "b.png")


def test_a_leak_of_a_split_file_is_refused_by_name(
    tmp_path: Path, default_config: Configured
) -> None:
    folder = tmp_path / "data" / READERS["dtd"].folder
    TREES["dtd"](folder)
    config = default_config(dataset="dtd", data_dir=str(tmp_path / "data"))
    clean = dataset_of(config, 8)
    rows = {
        key: [[name.removeprefix("images/"), 0, "a"] for name in getattr(clean, split).names]
        for key, split in (("train", "train"), ("val", "validation"), ("test", "test"))
    }
    rows["val"].append(rows["train"][3])
    (folder / "split_zhou_DescribableTextures.json").write_text(json.dumps(rows))
    with pytest.raises(DataError, match="1 picture is in both 'train' and 'validation': images/"):
        dataset_of(config, 8)
    assert len(dataset_of(config.with_values(allow_leaks=True), 8).test) == len(clean.test)


@pytest.mark.parametrize("name", TREES)
def test_published_layouts_have_none(name: str, tmp_path: Path) -> None:
    folder = tmp_path / READERS[name].folder
    TREES[name](folder)
    listing = READERS[name].reader(folder)
    assert leaks({split: [str(p.path) for p in of] for split, of in listing.splits.items()}) == []


def test_twins_have_the_same_bytes(tmp_path: Path) -> None:
    for number, name in enumerate(("a.png", "b.png", "c.png")):
        write_picture(tmp_path / name, number, (9, 9))
    shutil.copy(tmp_path / "a.png", tmp_path / "other name.png")
    os.link(tmp_path / "b.png", tmp_path / "linked.png")
    (tmp_path / "x").write_bytes(b"12")
    (tmp_path / "y").write_bytes(b"34")  # of the same size, but different
    names = {
        "train": ["a.png", "b.png", "x"],
        "test": ["other name.png", "linked.png", "c.png", "y", "gone.png", "a.png"],
    }
    assert twins(tmp_path, names) == [
        "2 pictures are of 'test' the same as one of 'train', byte for byte: "
        "linked.png = b.png, other name.png = a.png"
    ]


# --- names


def test_names_in_any_script_are_fine(tmp_path: Path) -> None:
    assert name_faults(tmp_path, ["кошка", "猫", "café", "🐈", "a b"]) == []


def test_names_that_are_no_utf8_are_one_sentence() -> None:
    (fault,) = name_faults(Path("own"), [LATIN, f"{LATIN}/1.png", f"猫/{LATIN}.png"])
    assert fault.startswith(
        "each of the names 'caf\\xe9', 'caf\\xe9.png' (in 'own') is not valid UTF-8; allowed: "
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [(LATIN, "caf\\xe9"), ("a\ud83d", "a\\ud83d"), ("猫", "猫"), ("\\xe9", "\\xe9")],
)
def test_what_is_printable(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert str(DataError(f"'{text}' is bad")) == f"'{shown}' is bad"


@pytest.mark.parametrize("where", ["class", "domain", "file", "folder"])
def test_a_name_that_is_no_utf8_is_refused_and_shown(
    tmp_path: Path, default_config: Configured, where: str
) -> None:
    root = tmp_path / (LATIN if where == "folder" else "own")
    classes = ("ant", LATIN if where == "class" else "bee")
    write_folder(root, classes, 5, domains=(LATIN if where == "domain" else "photo",))
    if where == "file":
        (root / "photo" / "ant" / "00.png").rename(root / "photo" / "ant" / f"{LATIN}.png")
    config = default_config(dataset="imagefolder")
    with pytest.raises(DataError, match=r"caf\\xe9.* is not valid UTF-8; allowed: names in UTF-8"):
        dataset_of(config.with_values(data_dir=str(root)), 8)


def test_a_lone_surrogate_of_a_json_file_is_refused(
    tmp_path: Path, default_config: Configured
) -> None:
    folder = tmp_path / "data" / READERS["dtd"].folder
    TREES["dtd"](folder)
    picture = next((folder / "images").rglob("*.jpg")).relative_to(folder / "images").as_posix()
    rows: dict[str, Any] = {
        "train": [[picture, 0, "cat\ud83d"]],
        "test": [[picture, 0, "cat\ud83d"]],
    }
    (folder / "split_zhou_DescribableTextures.json").write_text(json.dumps(rows))
    config = default_config(dataset="dtd", data_dir=str(tmp_path / "data"))
    with pytest.raises(DataError, match="it holds half of a character"):
        dataset_of(config, 8)


@pytest.mark.parametrize("key", ["data_dir", "output_dir", "cache_dir", "run_name", "template"])
def test_a_value_that_is_no_utf8_is_refused_with_its_key(
    default_config: Configured, key: str
) -> None:
    name = key.replace("_", "-")
    with pytest.raises(ConfigError, match=rf"{name} is '.*caf\\xe9'; allowed: .*valid UTF-8"):
        default_config(**{key: f"{{class}} {LATIN}"})
