"""Anyone's own pictures: a class is a folder.

data-dir/<class>/*.jpg                     a seeded split by class: 60 / 20 / 20 %
data-dir/<domain>/<class>/*.jpg            the same, with domains
data-dir/{train,test}/<class>/*.jpg        given splits (and, if wanted, validation)
data-dir/{train,test}/<domain>/<class>/*.jpg
data-dir/attributes.json                   optional: {class: [phrases]}
"""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import torch

from fedmvp_core.attributes.files import read_attributes
from fedmvp_core.config import DataSection, RunSection
from fedmvp_core.data.image_set import Dataset
from fedmvp_core.data.listed import make_dataset
from fedmvp_core.data.listing import Listing, Picture
from fedmvp_core.data.readers.folders import SUFFIXES
from fedmvp_core.errors import DataError
from fedmvp_core.seeding import generator

SPLITS = {"train": "train", "val": "validation", "validation": "validation", "test": "test"}
SPLIT_SHARES = (0.6, 0.2)  # train, validation; the rest is test


@dataclass(frozen=True)
class _Found:
    path: Path
    split: str  # "" when the folder gives none
    domain: str
    class_name: str


def load(data: DataSection, run: RunSection, image_size: int) -> Dataset:
    """The pictures below data-dir, decoded when they are first read.

    Raises:
        DataError: the folder is missing or empty, folders are of unequal depth, or a split lacks
            pictures.
    """
    root = Path(data.data_dir).expanduser()
    return make_dataset(list_folder(root, run.seed), root, data, run, image_size)


def list_folder(root: Path, seed: int) -> Listing:
    """The pictures below a folder, without a look at any of them.

    seed: of the split, where the folders give none.

    Raises:
        DataError: see `load`.
    """
    pictures = _find_pictures(root)
    by_split = _given_splits(pictures) or _seeded_splits(pictures, seed)
    class_names = tuple(sorted({picture.class_name for picture in pictures}))
    label_of = {name: label for label, name in enumerate(class_names)}
    for name in ("train", "test"):
        if not by_split.get(name):
            raise DataError(f"no pictures for the {name} split below '{root}'")
    attribute_file = root / "attributes.json"
    return Listing(
        name=root.name,
        class_names=class_names,
        splits={
            split: [Picture(p.path, (label_of[p.class_name],), p.domain) for p in chosen]
            for split, chosen in by_split.items()
        },
        attributes=read_attributes(attribute_file) if attribute_file.exists() else None,
    )


def _find_pictures(root: Path) -> list[_Found]:
    if not root.is_dir():
        raise DataError(f"data-dir '{root}' is not a folder")
    paths = sorted(p for p in root.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    if not paths:
        raise DataError(f"data-dir '{root}' holds no pictures ({', '.join(sorted(SUFFIXES))})")
    pictures = [_place(path, path.relative_to(root).parts[:-1]) for path in paths]
    depths = {bool(picture.domain) for picture in pictures}, {bool(p.split) for p in pictures}
    if any(len(depth) > 1 for depth in depths):
        raise DataError(
            f"the folders below '{root}' are of unequal depth; allowed: "
            "[split/][domain/]class/picture, the same for every picture"
        )
    return pictures


def _place(path: Path, folders: tuple[str, ...]) -> _Found:
    # "train" with pictures right inside is a class: the vehicle, not the split.
    split = SPLITS.get(folders[0].lower(), "") if len(folders) > 1 else ""
    inner = folders[1:] if split else folders
    if not 1 <= len(inner) <= 2:
        raise DataError(
            f"'{path}' lies {len(inner)} folders deep; allowed: [split/][domain/]class/picture"
        )
    domain = inner[0] if len(inner) == 2 else ""
    return _Found(path, split, domain, inner[-1].replace("_", " "))


def _given_splits(pictures: list[_Found]) -> dict[str, list[_Found]]:
    groups: dict[str, list[_Found]] = defaultdict(list)
    for picture in pictures:
        if picture.split:
            groups[picture.split].append(picture)
    return dict(groups)


def _seeded_splits(pictures: list[_Found], seed: int) -> dict[str, list[_Found]]:
    """60 / 20 / 20 % of every class (and domain); a group of one picture goes to training."""
    groups: dict[tuple[str, str], list[_Found]] = defaultdict(list)
    for picture in pictures:
        groups[picture.domain, picture.class_name].append(picture)
    splits: dict[str, list[_Found]] = {"train": [], "validation": [], "test": []}
    draw = generator(seed, "imagefolder split")
    for _, group in sorted(groups.items()):
        order = torch.randperm(len(group), generator=draw).tolist()
        train = max(1, round(SPLIT_SHARES[0] * len(group)))
        validation = train + round(SPLIT_SHARES[1] * len(group))
        for rank, i in enumerate(order):
            name = "train" if rank < train else "validation" if rank < validation else "test"
            splits[name].append(group[i])
    return splits
