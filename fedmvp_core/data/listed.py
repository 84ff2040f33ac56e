"""Data sets that a reader lists: `dataset = "caltech101"` with data-dir the root of CoOp's folders.

The loaders at the end of this file are what entry points name, one for each of readers.table.
"""

import dataclasses
import logging
import shlex
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path

import torch
from torch import Tensor

from fedmvp_core.config import DataSection, RunSection
from fedmvp_core.data.catalogue import how_to_get
from fedmvp_core.data.findings import leaks, name_faults
from fedmvp_core.data.image_set import Dataset, ImageSet
from fedmvp_core.data.listing import SPLITS, Listing, Picture, ReaderEntry
from fedmvp_core.data.pixels.check import known_unreadable
from fedmvp_core.data.pixels.files import PictureFiles
from fedmvp_core.data.plugins import DatasetLoader
from fedmvp_core.data.readers.assemble import thin_classes
from fedmvp_core.data.readers.folders import first_few
from fedmvp_core.data.readers.multilabel.csv_folder import csv_folder as list_csv_folder
from fedmvp_core.data.readers.table import READERS
from fedmvp_core.data.spellings import settled
from fedmvp_core.disk import cache_directory
from fedmvp_core.errors import DataError

PICTURES = "pictures"  # below the cache folder
logger = logging.getLogger(__name__)


def read_listing(entry: ReaderEntry, root: Path) -> tuple[Path, Listing]:
    """What is in root/<entry.folder>, or else in `root` itself; and which of the two it was.

    Raises:
        DataError: the data set is in neither.
    """
    if not root.is_dir():
        raise DataError(
            f"data-dir '{root}' is not a folder; {entry.name} is to be read from it"
            f"{how_to_get(entry.name, root)}"
        )
    folder = root / entry.folder
    if not folder.is_dir():
        folder = root
    try:
        listing = entry.reader(folder)
    except DataError as error:
        if folder != root:
            raise
        raise DataError(
            f"'{root}' holds no folder '{entry.folder}', and {error}{how_to_get(entry.name, root)}"
        ) from error
    complete = len(listing.class_names) == entry.expected_classes
    return folder, dataclasses.replace(listing, complete=complete)


def checked(
    listing: Listing,
    folder: Path,
    names: Mapping[str, Sequence[str]],
    merge_spellings: bool,
    allow_leaks: bool = False,
) -> Listing:
    """The listing with what is wrong, or worth minding, whatever reader it comes from.

    names: see `names_by_split`.

    One spelling a class; names in UTF-8; unless `allow_leaks`, no picture that is trained on and
    tested on; a warning for each thin class.
    """
    listing = settled(listing, merge_spellings)
    faults = name_faults(folder, chain(listing.class_names, *names.values()))
    if not allow_leaks and (found := leaks(names)):
        faults.append(
            f"{'; '.join(found)}; what was trained on says nothing when it is tested on: take it "
            "out of one of them, or allow it with allow-leaks=true"
        )
    return dataclasses.replace(
        listing,
        warnings=(*listing.warnings, *thin_classes(listing)),
        faults=(*listing.faults, *faults),
    )


def make_dataset(
    listing: Listing, folder: Path, data: DataSection, run: RunSection, image_size: int
) -> Dataset:
    """A listing's pictures as image sets, not yet decoded.

    folder: what the names of the images are relative to. image_size: side in pixels.

    With `on-bad-image = "skip"` every picture is decoded once to find those that cannot be read;
    they are in no split. Otherwise such a picture is an error when its set is first read.

    Raises:
        DataError: no picture of a split can be read, or the listing has faults, see `checked`.
    """
    names = names_by_split(listing, folder)
    listing = checked(listing, folder, names, data.merge_spellings, data.allow_leaks)
    if listing.faults:
        raise DataError(f"{listing.name} in '{folder}': {_refusal(listing.faults, data)}")
    cache = cache_directory(run.cache_dir) / PICTURES
    kept_in = cache if data.decode_cache else None

    def image_set(split: str) -> ImageSet:
        pictures, named = listing.splits.get(split, ()), names.get(split, ())
        if data.on_bad_image == "skip":
            pictures = _readable(pictures, f"{listing.name} ({split})", cache)
            named = [picture_name(picture.path, folder) for picture in pictures]
        return ImageSet(
            images=PictureFiles(tuple(p.path for p in pictures), image_size, kept_in),
            labels=labels_of(pictures, len(listing.class_names), listing.multi_label),
            domains=tuple(picture.domain for picture in pictures),
            names=tuple(named),
            class_names=listing.class_names,
        )

    train, validation, test = (image_set(split) for split in SPLITS)
    return Dataset(
        listing.name, train, validation, test, listing.attributes, warnings=listing.warnings
    )


def _refusal(faults: Sequence[str], data: DataSection) -> str:
    """All that is wrong in one sentence each, or the first few and where to see the rest."""
    said = "; ".join(faults[:3])
    if len(faults) <= 3:
        return said
    look = f"fedmvp datasets check {data.dataset} --root {shlex.quote(data.data_dir)}"
    return f"{said}; and {len(faults) - 3} more faults: {look}"


def names_by_split(listing: Listing, folder: Path) -> dict[str, list[str]]:
    """Split -> what its pictures are called."""
    return {
        split: [picture_name(picture.path, folder) for picture in pictures]
        for split, pictures in listing.splits.items()
    }


def labels_of(pictures: Sequence[Picture], classes: int, multi_label: bool) -> Tensor:
    """(n,) int64 positions; of a multi-label listing, (n, classes) int64 of 1 and 0."""
    if not multi_label:
        return torch.tensor([picture.labels[0] for picture in pictures], dtype=torch.int64)
    labels = torch.zeros((len(pictures), classes), dtype=torch.int64)
    for row, picture in enumerate(pictures):
        labels[row, list(picture.labels)] = 1
    return labels


def _readable(pictures: Sequence[Picture], what: str, cache: Path) -> Sequence[Picture]:
    bad = known_unreadable([picture.path for picture in pictures], cache)
    if not bad:
        return pictures
    if len(bad) == len(pictures):
        raise DataError(f"{what}: none of {len(pictures)} pictures can be read: {bad[0]}")
    logger.warning(
        "%s: %d of %d pictures cannot be read and are skipped: %s",
        *(what, len(bad), len(pictures), first_few(list(bad.values()))),
    )
    return [picture for position, picture in enumerate(pictures) if position not in bad]


def picture_name(path: Path, folder: Path) -> str:
    """Relative to the data set's folder; a picture elsewhere goes by its whole path."""
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)


def listed(name: str) -> DatasetLoader:
    """The loader of the data set that a reader of this name lists."""

    def load(data: DataSection, run: RunSection, image_size: int) -> Dataset:
        folder, listing = read_listing(READERS[name], Path(data.data_dir).expanduser())
        return make_dataset(listing, folder, data, run, image_size)

    return load


def csv_folder(data: DataSection, run: RunSection, image_size: int) -> Dataset:
    """One's own pictures with any number of labels each, see readers/multilabel/csv_folder.py."""
    folder = Path(data.data_dir).expanduser()
    return make_dataset(list_csv_folder(folder), folder, data, run, image_size)


caltech101 = listed("caltech101")
oxford_pets = listed("oxford_pets")
stanford_cars = listed("stanford_cars")
oxford_flowers = listed("oxford_flowers")
food101 = listed("food101")
fgvc_aircraft = listed("fgvc_aircraft")
sun397 = listed("sun397")
dtd = listed("dtd")
eurosat = listed("eurosat")
ucf101 = listed("ucf101")
imagenet = listed("imagenet")
imagenetv2 = listed("imagenetv2")
imagenet_sketch = listed("imagenet_sketch")
imagenet_a = listed("imagenet_a")
imagenet_r = listed("imagenet_r")
pacs = listed("pacs")
officehome = listed("officehome")
vlcs = listed("vlcs")
terraincognita = listed("terraincognita")
domainnet = listed("domainnet")
voc2007 = listed("voc2007")
coco2014 = listed("coco2014")
nuswide = listed("nuswide")
multiscene = listed("multiscene")
mlrsnet = listed("mlrsnet")
