"""Compares a copy of a data set with what its authors published."""

import dataclasses
import hashlib
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fedmvp_core.data.catalogue import OWN_PICTURES, needs_folder, without_folder
from fedmvp_core.data.findings import twins
from fedmvp_core.data.imagefolder import list_folder
from fedmvp_core.data.listed import checked, names_by_split, picture_name, read_listing
from fedmvp_core.data.listing import Listing, ReaderEntry
from fedmvp_core.data.pixels.check import Looked, look_at
from fedmvp_core.data.readers import hugging_face
from fedmvp_core.data.readers.folders import first_few
from fedmvp_core.data.readers.multilabel.csv_folder import TABLE, csv_folder
from fedmvp_core.data.readers.table import READERS
from fedmvp_core.data.readers.tree import walk
from fedmvp_core.errors import ConfigError, DataError, printable


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
        names = printable("\n".join(self.listing.class_names))
        return hashlib.sha256(names.encode()).hexdigest()[:12]


def named_or_own(name: str, root: Path | None) -> tuple[str, Path]:
    """What to check, and where: a data set below `root`, or a folder of one's own pictures.

    Raises:
        ConfigError: a data set is named, but no root; or a folder, and a root too.
    """
    folder = Path(name).expanduser()
    if not needs_folder(name) and folder.is_dir():
        if root is not None:
            raise ConfigError(f"'{name}' is a folder of your own; it is checked without --root")
        own = "csv-folder" if (folder / TABLE).is_file() else "imagefolder"
        return own, folder
    if root is None:
        _check_known(name)
        raise ConfigError(f"--root is missing: the folder that holds {name}")
    return name, root.expanduser()


def examine(
    name: str, root: Path, decode: bool, merge_spellings: bool = False, allow_leaks: bool = False
) -> ExaminedCopy:
    """Read the data set's folder, and every picture if `decode`.

    merge_spellings, allow_leaks: as the run's keys say it.

    Raises:
        ConfigError: no data set with a folder is called so.
        DataError: the folder cannot be read as that data set.
    """
    folder, listing = _read(name, root)
    names = names_by_split(listing, folder)
    listing = checked(listing, folder, names, merge_spellings, allow_leaks)
    expected = READERS.get(name)
    faults = list(listing.faults) + (unlike(listing, expected) if expected else [])
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


def _check_known(name: str) -> None:
    if not needs_folder(name):
        raise without_folder(name)


def _with_rest(listing: Listing, folder: Path) -> Listing:
    """With what lies in the folder and is in no split, counted.

    Readers of tables and published layouts look only where they expect pictures.
    """
    tree = walk(folder)
    used = {picture.path for pictures in listing.splits.values() for picture in pictures}
    unused = [path for path in tree.pictures if folder / path not in used]
    notes = list(listing.notes)
    if unused:
        notes.append(f"{len(unused)} pictures are in no split: {first_few(unused)}")
    aside = [*tree.notes(), *tree.warnings(), *tree.faults()]
    return dataclasses.replace(listing, notes=(*notes, *aside))


def _read(name: str, root: Path) -> tuple[Path, Listing]:
    _check_known(name)
    if name in READERS:
        folder, listing = read_listing(READERS[name], root)
        return folder, _with_rest(listing, folder)
    if name in OWN_PICTURES:
        if not root.is_dir():
            raise DataError(f"'{root}' is not a folder")
        if name == "csv-folder":
            return root, _with_rest(csv_folder(root), root)
        return root, list_folder(root, seed=1)
    folder = hugging_face.prepared_folder(name, root)
    return folder, list_folder(folder, seed=1)


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
