"""Oxford 102 Flowers: oxford_flowers/{jpg,imagelabels.mat,cat_to_name.json,
split_zhou_OxfordFlowers.json}."""

from pathlib import Path

from fedmvp_core.data.listing import Listing
from fedmvp_core.data.readers.coop import from_split_json, supply, without_split
from fedmvp_core.data.readers.folders import check_files, require_folder
from fedmvp_core.data.readers.mat_files import read_mat
from fedmvp_core.data.readers.splits import Entry
from fedmvp_core.errors import DataError
from fedmvp_core.user_files import read_json

SPLIT = "split_zhou_OxfordFlowers.json"


def oxford_flowers(folder: Path) -> Listing:
    """102 flowers (Nilsback and Zisserman 2008).

    Without the split file: labels from imagelabels.mat, names from cat_to_name.json or, without
    that, from torchvision; 50 / 20 / 30 % of every class, as CoOp (not the official setid.mat,
    which trains on 10 pictures of a class).
    """
    pictures = folder / "jpg"
    listing = from_split_json("oxford_flowers", folder, pictures, SPLIT)
    if listing:
        return listing
    require_folder(pictures, "oxford_flowers")
    file = folder / "imagelabels.mat"
    labels = read_mat(file, "oxford_flowers", supply(SPLIT), "labels")
    entries = [
        Entry(f"image_{number:05d}.jpg", int(label) - 1) for number, label in enumerate(labels, 1)
    ]
    if not entries or min(entry.label for entry in entries) < 0:
        raise DataError(f"'{file}' holds no labels from 1 on")
    check_files(pictures, (entry.file for entry in entries), file)
    class_names = _names(folder / "cat_to_name.json", max(entry.label for entry in entries) + 1)
    return without_split("oxford_flowers", class_names, pictures, SPLIT, entries)


def _names(file: Path, classes: int) -> list[str]:
    """Class names by label. cat_to_name.json counts from "1"."""
    if not file.is_file():
        from torchvision.datasets import Flowers102

        known = list(getattr(Flowers102, "classes", ()))  # torchvision has not always had them
        if classes > len(known):
            raise DataError(f"oxford_flowers needs '{file}' for the names of {classes} classes")
        return known[:classes]
    try:
        names = read_json(file)
        return [str(names[str(number)]) for number in range(1, classes + 1)]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DataError(
            f"'{file}' cannot be used ({type(error).__name__}: {error}); "
            f'allowed: {{"1": name, ..., "{classes}": name}}'
        ) from error
