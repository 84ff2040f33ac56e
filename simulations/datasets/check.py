"""Compares a copy of a data set with what its authors published."""

import dataclasses
import hashlib
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

from fedmvp_core.config import did_you_mean
from fedmvp_core.data.catalogue import HUB, OWN_PICTURES
from fedmvp_core.data.findings import check_names, leaks, twins
from fedmvp_core.data.imagefolder import list_folder
from fedmvp_core.data.listed import picture_name, picture_names, read_listing
from fedmvp_core.data.listing import Listing, ReaderEntry
from fedmvp_core.data.pixels.check import Looked, look_at
from fedmvp_core.data.readers import hugging_face
from fedmvp_core.data.readers.folders import first_few
from fedmvp_core.data.readers.multilabel.csv_folder import csv_folder
from fedmvp_core.data.readers.table import READERS
from fedmvp_core.errors import ConfigError, DataError


@dataclass(frozen=True)
class ExaminedCopy:
    """What a copy of a data set holds.

    folder: where it was found. expected: what was published; None for a user's own pictures.
    faults: what differs from the published data set, or cannot be used.
    """

    name: str
    folder: Path
    listing: Listing
    expected: ReaderEntry | None
    faults: tuple[str, ...]

    def class_counts(self, split: str) -> list[int]:
        """Pictures of each class, in class order; a picture with several labels counts for each."""
        pictures = self.listing.splits.get(split, ())
        counts = Counter(label for picture in pictures for label in picture.labels)
        return [counts[label] for label in range(len(self.listing.class_names))]

    def domain_counts(self, split: str) -> dict[str, int]:
        """Pictures of each domain; empty when there are no domains."""
        domains = Counter(picture.domain for picture in self.listing.splits.get(split, ()))
        return {name: count for name, count in sorted(domains.items()) if name}

    @property
    def order(self) -> str:
        """A hash of the class names in their order.

        Base and new classes are the two halves of that order, so the results of two machines can be
        compared only if their hashes are equal.
        """
        names = "\n".join(self.listing.class_names).encode()
        return hashlib.sha256(names).hexdigest()[:12]


def examine(name: str, root: Path, decode: bool) -> ExaminedCopy:
    """Read the data set's folder, and every picture if `decode`.

    Raises:
        ConfigError: no data set with a folder is called so.
        DataError: the folder cannot be read as that data set.
    """
    folder, listing = _read(name, root)
    names = picture_names(listing, folder)
    check_names(folder, chain(listing.class_names, *names.values()))
    expected = READERS.get(name)
    faults = (unlike(listing, expected) if expected else []) + leaks(names)
    notes: list[str] = []
    if decode:
        paths = sorted({p.path for pictures in listing.splits.values() for p in pictures})
        looked = look_at(paths)
        faults += [one.fault for one in looked if one.fault]
        notes = particulars(folder, paths, looked)
        # Published sets do have twins, as everybody's results on them do.
        (notes if expected else faults).extend(twins(folder, names))
    listing = dataclasses.replace(listing, notes=(*listing.notes, *notes))
    return ExaminedCopy(name, folder, listing, expected, tuple(faults))


def particulars(folder: Path, paths: Sequence[Path], looked: Sequence[Looked]) -> list[str]:
    """What is done with pictures that are unlike others."""
    found = {
        "turned, as their EXIF data say": [one.turned for one in looked],
        "of several frames or pages, of which the first is taken": [
            one.frames > 1 for one in looked
        ],
        "very large and decoded at a fraction of their size": [one.reduced for one in looked],
    }
    named = {
        what: [picture_name(path, folder) for path, one in zip(paths, them, strict=True) if one]
        for what, them in found.items()
    }
    return [f"{len(of)} pictures are {what}: {first_few(of)}" for what, of in named.items() if of]


def expected_layout(name: str) -> str:
    """How the data set's files must lie, in its reader's own words; "" where none is known."""
    if name not in READERS:
        return ""
    reader = READERS[name].reader
    function = reader.func if isinstance(reader, partial) else reader
    return sys.modules[function.__module__].__doc__ or ""


def _read(name: str, root: Path) -> tuple[Path, Listing]:
    if name in READERS:
        return read_listing(READERS[name], root)
    if name in OWN_PICTURES:
        if not root.is_dir():
            raise DataError(f"'{root}' is not a folder")
        return root, csv_folder(root) if name == "csv-folder" else list_folder(root, seed=1)
    if name.startswith(HUB):
        folder = hugging_face.prepared_folder(name, root)
        return folder, list_folder(folder, seed=1)
    raise ConfigError(
        f"no data set with a folder is called '{name}'"
        f"{did_you_mean(name, [*READERS, *OWN_PICTURES])}"
    )


def unlike(listing: Listing, expected: ReaderEntry) -> list[str]:
    """Where classes, domains or the number of pictures are not the published ones."""
    faults = []
    if len(listing.class_names) != expected.expected_classes:
        faults.append(
            f"{len(listing.class_names)} classes were found; expected: {expected.expected_classes}"
        )
    for split, count in expected.expected_counts.items():
        found = len(listing.splits.get(split, ()))
        if found != count:
            faults.append(f"split '{split}' has {found} pictures; expected: {count}")
    domains = {p.domain for pictures in listing.splits.values() for p in pictures}
    lacking = [domain for domain in expected.domains if domain not in domains]
    if lacking:
        faults.append(f"no pictures of the domains: {', '.join(lacking)}")
    return faults


def halves(class_names: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """The classes of the setting base-to-new."""
    half = (len(class_names) + 1) // 2
    return {"base": class_names[:half], "new": class_names[half:]}
