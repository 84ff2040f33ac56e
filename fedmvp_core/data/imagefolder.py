"""Anyone's own pictures: a class is a folder.

data-dir/<class>/*.jpg                     a seeded split by class: 60 / 20 / 20 %
data-dir/<domain>/<class>/*.jpg            the same, with domains
data-dir/{train,test}/<class>/*.jpg        given splits (and, if wanted, validation)
data-dir/{train,test}/<domain>/<class>/*.jpg
data-dir/attributes.json                   optional: {class: [phrases]}

Splits are known by their usual names: readers.splits.split_named.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from fedmvp_core.attributes.files import read_attributes
from fedmvp_core.config import DataSection, RunSection
from fedmvp_core.data.image_set import Dataset
from fedmvp_core.data.listed import make_dataset
from fedmvp_core.data.listing import SPLITS, Listing, Picture
from fedmvp_core.data.readers.assemble import domain_gaps
from fedmvp_core.data.readers.entries import SUFFIXES
from fedmvp_core.data.readers.layout import Placed, layout_faults, layout_notes, placed
from fedmvp_core.data.readers.tree import walk
from fedmvp_core.data.spellings import names_of
from fedmvp_core.errors import DataError
from fedmvp_core.seeding import generator

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
        DataError: the folder is missing or empty, folders are of unequal depth, a split lacks
            pictures, or see `list_folder`.
    """
    root = Path(data.data_dir).expanduser()
    return make_dataset(list_folder(root, run.seed), root, data, run, image_size)


def list_folder(root: Path, seed: int) -> Listing:
    """The pictures below a folder, without a look at any of them.

    What forbids their use is among the listing's faults, so that `fedmvp datasets check` can name
    all of it at once; `make_dataset` refuses a listing with faults.

    seed: of the split, where the folders give none.

    Raises:
        DataError: the folder or its attributes.json cannot be read.
    """
    if not root.is_dir():
        raise DataError(f"data-dir '{root}' is not a folder")
    tree = walk(root)
    places = [placed(path) for path in tree.pictures]
    faults = layout_faults(root, places)
    if not places:
        faults = [f"data-dir '{root}' holds no pictures ({', '.join(sorted(SUFFIXES))})"]
    by_split = {} if faults else _splits(root, places, seed)
    faults += [
        f"no pictures for the {name} split below '{root}'"
        for name in ("train", "test")
        if by_split and not by_split.get(name)
    ]
    class_names = tuple(sorted({p.class_name for found in by_split.values() for p in found}))
    label_of = {name: (label,) for label, name in enumerate(class_names)}
    splits = {
        split: [Picture(p.path, label_of[p.class_name], p.domain) for p in by_split[split]]
        for split in SPLITS
        if by_split.get(split)
    }
    attribute_file = root / "attributes.json"
    notes, warnings = layout_notes(places)
    return Listing(
        name=root.name,
        class_names=class_names,
        splits=splits,
        attributes=read_attributes(attribute_file) if attribute_file.exists() else None,
        notes=(*notes, *domain_gaps(class_names, splits), *tree.notes()),
        warnings=(*warnings, *tree.warnings()),
        faults=(*faults, *tree.faults()),
    )


def _splits(root: Path, places: Sequence[Placed], seed: int) -> dict[str, list[_Found]]:
    names = names_of(place.class_folder for place in places)
    pictures = [
        _Found(root / place.path, place.split, place.domain, names[place.class_folder])
        for place in places
    ]
    return _given_splits(pictures) or _seeded_splits(pictures, seed)


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
