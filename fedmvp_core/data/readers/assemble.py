"""Entries with labels to a listing, with the checks that every data set needs."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fedmvp_core.data.listing import SPLITS, Listing, Picture
from fedmvp_core.data.readers.folders import first_few
from fedmvp_core.data.readers.splits import Entry
from fedmvp_core.data.readers.templates import template_of
from fedmvp_core.errors import DataError


@dataclass(frozen=True)
class Part:
    """The pictures below one folder: the whole data set, or one domain of it."""

    folder: Path
    splits: Mapping[str, Sequence[Entry]]
    domain: str = ""


def make_listing(
    name: str, class_names: Sequence[str], parts: Sequence[Part], notes: Sequence[str] = ()
) -> Listing:
    """Clean the class names up, check them, and put the parts together.

    class_names: by label, as the data set writes them.

    Raises:
        DataError: two classes have the same name, or a class has no picture in any split.
    """
    cleaned = tuple(clean_name(class_name) for class_name in class_names)
    check_distinct(name, class_names)
    labels = [(label,) for label in range(len(cleaned))]  # shared: a million pictures, few labels
    splits = {
        split: [
            Picture(part.folder / entry.file, labels[entry.label], part.domain)
            for part in parts
            for entry in part.splits.get(split, ())
        ]
        for split in SPLITS
    }
    splits = {split: pictures for split, pictures in splits.items() if pictures}
    _check_pictured(name, cleaned, splits)
    return Listing(
        name=name,
        class_names=cleaned,
        splits=splits,
        template=template_of(name),
        notes=(*notes, *_gaps(cleaned, splits), *_shared(parts)),
    )


def clean_name(class_name: str) -> str:
    """As it is put into a sentence: words parted by single spaces, an accent with its letter."""
    return " ".join(unicodedata.normalize("NFC", class_name).replace("_", " ").split())


def check_distinct(name: str, class_names: Iterable[str]) -> None:
    """No two class names may be the same once they are cleaned up.

    Raises:
        DataError: two are; as they are written.
    """
    written: dict[str, list[str]] = {}
    for class_name in class_names:
        written.setdefault(clean_name(class_name), []).append(f"'{class_name}'")
    repeated = [spellings for spellings in written.values() if len(spellings) > 1]
    if repeated:
        raise DataError(
            f"{name}: {len(repeated)} class names stand for several classes: "
            f"{first_few([' and '.join(spellings) for spellings in repeated])}"
        )


def thin_classes(listing: Listing) -> list[str]:
    """Classes of a single picture, and those that cannot be trained or tested."""
    counts = {
        split: Counter(label for picture in pictures for label in picture.labels)
        for split, pictures in listing.splits.items()
    }
    every = sum(counts.values(), Counter())
    names = listing.class_names
    single = [name for label, name in enumerate(names) if every[label] == 1]
    said = []
    if single:
        said.append(f"{len(single)} classes have a single picture: {first_few(single)}")
    for split in [split for split in ("train", "test") if split in counts]:
        lacking = [name for label, name in enumerate(names) if not counts[split][label]]
        if lacking:
            said.append(f"split '{split}' has no picture of {first_few(lacking)}")
    return said


def _check_pictured(
    name: str, class_names: Sequence[str], splits: Mapping[str, Sequence[Picture]]
) -> None:
    present = {picture.labels[0] for pictures in splits.values() for picture in pictures}
    bare = [class_name for label, class_name in enumerate(class_names) if label not in present]
    if bare or not class_names:
        which = f"{len(bare)} classes: {first_few(bare)}" if bare else "any class"
        raise DataError(f"{name} has no picture of {which}")


def _gaps(class_names: Sequence[str], splits: Mapping[str, Sequence[Picture]]) -> list[str]:
    """What a split, or a domain, lacks."""
    of_splits = {
        f"split '{split}'": {picture.labels[0] for picture in pictures}
        for split, pictures in splits.items()
    }
    return _lacking(class_names, of_splits) + domain_gaps(class_names, splits)


def domain_gaps(class_names: Sequence[str], splits: Mapping[str, Sequence[Picture]]) -> list[str]:
    """Which classes a domain lacks, of pictures with one label each."""
    present: dict[str, set[int]] = {}
    for pictures in splits.values():
        for picture in pictures:
            if picture.domain:
                present.setdefault(f"domain '{picture.domain}'", set()).add(picture.labels[0])
    return _lacking(class_names, present)


def _lacking(class_names: Sequence[str], groups: Mapping[str, set[int]]) -> list[str]:
    notes = []
    for group, present in groups.items():
        lacking = [c for label, c in enumerate(class_names) if label not in present]
        if lacking:
            notes.append(f"{group} has no picture of {first_few(lacking)}")
    return notes


def _shared(parts: Sequence[Part]) -> list[str]:
    """Pictures that are named more than once."""
    count, repeated = 0, 0
    for part in parts:
        files = [{entry.file for entry in entries} for entries in part.splits.values()]
        repeated += sum(map(len, part.splits.values())) - sum(map(len, files))
        count += sum(map(len, files)) - len(set().union(*files))
    notes = [f"{count} pictures are in more than one split"] if count else []
    return [*notes, f"{repeated} pictures are twice in a split"] if repeated else notes
