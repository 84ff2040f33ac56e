"""Downloads, with torchvision's classes replaced by ones that leave the same folders behind."""

from pathlib import Path
from typing import Any

import data_trees
import pytest
import torchvision.datasets

from fedmvp_core.data.readers.download import BY_HAND, DOWNLOADS, prepare
from fedmvp_core.data.readers.table import READERS
from fedmvp_core.errors import DataError


def torchvisions_copy(name: str, runs: list[str]) -> type:
    """What torchvision makes below its root: our tree, in its folders, with the archives."""

    real = getattr(torchvision.datasets, DOWNLOADS[name].torchvision_class)

    class Replaced:
        classes = getattr(real, "classes", ())

        def __init__(self, root: str, **options: Any) -> None:
            assert options == {"download": True}
            runs.append(root)
            made = Path(root) / DOWNLOADS[name].made
            data_trees.TREES[name](made)
            (made / "archive.tar.gz").write_bytes(b"")
            (made / "cat_to_name.json").unlink(missing_ok=True)  # not among the official files

    return Replaced


@pytest.mark.parametrize("name", [name for name in DOWNLOADS if name != "sun397"])
def test_what_torchvision_leaves_is_readable_and_fetched_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    runs: list[str] = []
    own_class = DOWNLOADS[name].torchvision_class
    assert hasattr(torchvision.datasets, own_class)
    monkeypatch.setattr(torchvision.datasets, own_class, torchvisions_copy(name, runs))
    folder = prepare(name, tmp_path)
    assert folder == tmp_path / READERS[name].folder
    assert {p.name for p in folder.iterdir()} == set(DOWNLOADS[name].wanted)
    data_trees.TREES[name](tmp_path / "as published")
    expected = READERS[name].reader(tmp_path / "as published")
    assert READERS[name].reader(folder).class_names == expected.class_names
    prepare(name, tmp_path)
    assert len(runs) == 1
    assert not (tmp_path / ".download" / name).exists()


def test_sun_needs_the_partitions_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[str] = []
    monkeypatch.setattr(torchvision.datasets, "SUN397", torchvisions_copy("sun397", runs))
    folder = tmp_path / "sun397"
    with pytest.raises(DataError, match=r"ClassName.txt'.*supply it, or CoOp's split_zhou_SUN397"):
        prepare("sun397", tmp_path)
    outdoor = "a/apartment_building/outdoor/sun_aa.jpg"
    row = (outdoor, 0, "outdoor apartment_building")
    data_trees.write_split_json(folder / "split_zhou_SUN397.json", [row], [], [row])
    assert prepare("sun397", tmp_path) == folder
    assert len(runs) == 1


def test_a_failed_download_is_told_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(root: str, download: bool) -> None:
        (Path(root) / "half.zip").write_bytes(b"half")
        raise RuntimeError("File not found or corrupted.")

    monkeypatch.setattr(torchvision.datasets, "EuroSAT", fails)
    with pytest.raises(DataError, match=r"could not download EuroSAT to .*or corrupted"):
        prepare("eurosat", tmp_path)
    assert (tmp_path / ".download" / "eurosat" / "half.zip").exists()
    assert not (tmp_path / "eurosat").exists()


def test_a_download_of_another_layout_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torchvision.datasets, "EuroSAT", lambda root, download: None)
    with pytest.raises(DataError, match=r"EuroSAT did not make '.*eurosat/2750'; move '2750' into"):
        prepare("eurosat", tmp_path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("stanford_cars", r"into '.*stanford_cars': cars_train, cars_test, devkit and split_zhou"),
        ("ucf101", "UCF-101-midframes and split_zhou_UCF101.json"),
        ("imagenet_a", r"into '.*imagenet-adversarial': imagenet-a and classnames.txt"),
        ("vlcs", r"into '.*VLCS': the domains caltech, labelme, pascal, sun"),
        ("cifar10", "no data set is called 'cifar10'; known: caltech101, "),
    ],
)
def test_what_cannot_be_downloaded_says_what_to_fetch(
    tmp_path: Path, name: str, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        prepare(name, tmp_path)


def test_every_data_set_is_downloaded_or_fetched_by_hand() -> None:
    for name, entry in READERS.items():
        assert (name in DOWNLOADS) + (name in BY_HAND) + bool(entry.domains) == 1
