"""Data sets of the Hugging Face hub, written once as the folders that `imagefolder` reads.

`fedmvp datasets prepare hf:uoft-cs/cifar10 --root data` leaves data/uoft-cs--cifar10/, which
`dataset=hf:uoft-cs/cifar10 data-dir=data` reads. They come through flwr-datasets, an extra
(`pip install 'fedmvp[hub]'`); training needs nothing of it.
"""

import dataclasses
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from PIL import Image

from fedmvp_core.config import DataSection, RunSection
from fedmvp_core.data import imagefolder
from fedmvp_core.data.catalogue import HUB
from fedmvp_core.data.image_set import Dataset
from fedmvp_core.data.pixels.pictures import to_rgb
from fedmvp_core.data.readers.entries import is_system
from fedmvp_core.errors import DataError

SPLITS = ("train", "validation", "test")

HubPicture: TypeAlias = tuple[Image.Image, str]  # a picture and the name of its class


def load(data: DataSection, run: RunSection, image_size: int) -> Dataset:
    """What `prepare` has put below data-dir, as `imagefolder` reads it.

    Raises:
        DataError: it is not there, or `imagefolder` cannot read it.
    """
    folder = prepared_folder(data.dataset, Path(data.data_dir).expanduser())
    return imagefolder.load(dataclasses.replace(data, data_dir=str(folder)), run, image_size)


def prepared_folder(name: str, root: Path) -> Path:
    """Where `prepare` has put a data set; raises DataError if it is not there."""
    folder = _folder(name, root)
    if not folder.is_dir():
        raise DataError(
            f"'{folder}' is not there; fetch it: fedmvp datasets prepare {name} --root {root}"
        )
    return folder


def prepare(name: str, root: Path) -> Path:
    """Fetch a data set of pictures with one label each; return its folder below `root`.

    name: "hf:" and the hub's name, or the path of a folder that Hugging Face's datasets can load.
    Without a test split all pictures go into one, which `imagefolder` then splits by seed. A folder
    that is there already is left as it is; one is there only when it is whole.

    Raises:
        DataError: flwr-datasets is not installed, the data set cannot be loaded, or it has no
            column of pictures or of labels.
    """
    folder = _folder(name, root)
    if not folder.exists():
        write_folder(_rows_by_split(name.removeprefix(HUB)), folder)
    return folder


def _folder(name: str, root: Path) -> Path:
    source = name.removeprefix(HUB).strip("/")
    if not source:
        raise DataError(f"dataset is '{name}'; needed: {HUB} and a name (uoft-cs/cifar10)")
    return root / source.replace("/", "--")


def write_folder(splits: Mapping[str, Iterable[HubPicture]], folder: Path) -> None:
    """folder/<split>/<class>/<number>.png, or without the splits if there is no test split.

    Raises:
        DataError: the folder cannot be written, two classes would share a folder, or a class's
            folder would be passed over; nothing is left behind.
    """
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    held: dict[str, str] = {}
    try:
        for split, rows in splits.items():
            for number, (picture, class_name) in enumerate(rows):
                where = partial / split if "test" in splits else partial
                inside = class_name.replace("/", "-").strip(".") or "-"  # never above the folder
                _check_folder(inside, class_name, held)
                place = where / inside / f"{split}-{number:06d}.png"
                place.parent.mkdir(parents=True, exist_ok=True)
                to_rgb(picture).save(place)
        partial.rename(folder)
    except DataError:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    except (OSError, ValueError) as error:  # ValueError: a picture whose numbers have no scale
        shutil.rmtree(partial, ignore_errors=True)
        raise DataError(f"'{folder}' cannot be written: {error}") from error


def _check_folder(inside: str, class_name: str, held: dict[str, str]) -> None:
    """held: folder -> the class that it is of, so far."""
    other = held.setdefault(inside, class_name)
    if other != class_name:
        raise DataError(f"classes '{other}' and '{class_name}' would share the folder '{inside}'")
    if is_system(inside):
        raise DataError(f"class '{class_name}' is called as a system's own folders are")


def _rows_by_split(source: str) -> dict[str, Iterable[HubPicture]]:
    try:
        from flwr_datasets import FederatedDataset
    except ImportError as error:
        raise DataError(
            f"{HUB}{source} needs flwr-datasets: pip install 'fedmvp[hub]' ({error})"
        ) from error
    federated = FederatedDataset(dataset=source, partitioners={"train": 1})
    found: dict[str, Iterable[HubPicture]] = {}
    for split in SPLITS:
        try:
            table = federated.load_split(split)
        except (KeyError, ValueError) as error:
            if split == "train":
                raise DataError(f"{HUB}{source} has no training split: {error}") from error
            continue
        except Exception as error:  # whatever network, hub and formats can raise
            raise DataError(f"{HUB}{source} cannot be loaded: {error}") from error
        found[split] = _rows(table, *_columns(table.features, source))
    return found


def _columns(features: Mapping[str, Any], source: str) -> tuple[str, str]:
    """The column of pictures, and of the labels; of several the one with the most classes."""
    kinds = {column: type(feature).__name__ for column, feature in features.items()}
    pictures = [column for column, kind in kinds.items() if kind == "Image"]
    labels = [column for column, kind in kinds.items() if kind == "ClassLabel"]
    if not pictures or not labels:
        raise DataError(f"{HUB}{source} has the columns {kinds}; needed: an Image and a ClassLabel")
    return pictures[0], max(labels, key=lambda column: len(features[column].names))


def _rows(table: Any, picture: str, label: str) -> Iterable[HubPicture]:
    names = table.features[label].names
    for row in table:
        yield row[picture], names[row[label]]
