"""CoOp's split files: {"train": [[path, label, class name], ...], "val": [...], "test": [...]}."""

from collections.abc import Mapping, Sequence
from itertools import count, islice
from pathlib import Path
from typing import Any

from fedmvp_core.data.listing import SPLITS
from fedmvp_core.data.readers.entries import has_system_part
from fedmvp_core.data.readers.folders import check_files, first_few, relative_file
from fedmvp_core.data.readers.splits import Entry, split_named
from fedmvp_core.errors import DataError
from fedmvp_core.user_files import read_json

_MOST_DIGITS = 18  # of a label that is written as text


def read_split_json(file: Path, pictures: Path) -> tuple[dict[int, str], dict[str, list[Entry]]]:
    """Class names by label as written there, and the splits; paths are relative to `pictures`.

    Raises:
        DataError: the file is no such JSON, a label has two class names or a class name two labels,
            a picture has two labels, pictures are missing, or train or test is empty.
    """
    content = _parsed(file)
    key_of = {split_named(key): key for key in content}
    rows = {
        split: _rows(content[key_of[split]], key_of[split], file)
        for split in SPLITS
        if split in key_of
    }
    names = _names(rows, file)
    splits = {
        split: [Entry(relative_file(path, pictures), label) for path, label, _ in of_split]
        for split, of_split in rows.items()
    }
    hidden = [e.file for entries in splits.values() for e in entries if has_system_part(e.file)]
    if hidden:
        raise DataError(
            f"'{file}' names {len(hidden)} hidden or system files, which are no pictures: "
            f"{first_few(hidden)}"
        )
    check_files(pictures, (e.file for entries in splits.values() for e in entries), file)
    _check_labels(splits, file)
    for split in ("train", "test"):
        if not splits[split]:
            raise DataError(f"'{file}' has no pictures for the {split} split")
    return names, splits


def _check_labels(splits: Mapping[str, Sequence[Entry]], file: Path) -> None:
    labels: dict[str, int] = {}
    for entry in (entry for entries in splits.values() for entry in entries):
        if (other := labels.setdefault(entry.file, entry.label)) != entry.label:
            raise DataError(
                f"'{entry.file}' in '{file}' has the labels {other} and {entry.label}; "
                "allowed: one label for a picture"
            )


def label_in(word: str) -> int | None:
    """The whole number from 0 that a word is, or None; of more digits than any label it is none."""
    return int(word) if word.isdecimal() and len(word) <= _MOST_DIGITS else None


def add_name(names: dict[int, str], label: int, class_name: str, source: Path) -> None:
    """Take down that a label has a class name.

    Raises:
        DataError: it has another, or the class name has another label.
    """
    if label not in names:
        others = [other for other, name in names.items() if name == class_name]
        if others:
            raise DataError(
                f"class '{class_name}' in '{source}' has the labels {others[0]} and {label}; "
                "allowed: one label for a class"
            )
        names[label] = class_name
    elif names[label] != class_name:
        raise DataError(
            f"label {label} in '{source}' is both '{names[label]}' and '{class_name}'; "
            "allowed: one class for a label"
        )


def in_label_order(names: Mapping[int, str], source: Path) -> list[str]:
    """The class names as a list, whose labels must be 0 to n - 1.

    Raises:
        DataError: a label between them belongs to no picture.
    """
    absent = max(names) + 1 - sum(label >= 0 for label in names)
    if absent or min(names) < 0:
        # Not a list of all: a label may be any number.
        first = islice((str(label) for label in count() if label not in names), min(absent, 3))
        more = f" and {absent - 3} more" if absent > 3 else ""
        which = f"label {', '.join(first)}{more}" if absent else f"a name but label {min(names)}"
        raise DataError(f"'{source}' has no picture of {which}; labels are 0 to {max(names)}")
    return [names[label] for label in sorted(names)]


def _parsed(file: Path) -> Mapping[str, Any]:
    try:
        content = read_json(file)
    except (OSError, ValueError) as error:
        raise DataError(f"'{file}' cannot be read as JSON: {error}") from error
    if not isinstance(content, dict):
        content = {}
    lists = [key for key, value in content.items() if split_named(key) or isinstance(value, list)]
    named = list(map(split_named, lists))
    if not {"train", "test"} <= set(named):
        raise DataError(
            f"'{file}' is no split file; allowed: an object with lists 'train', 'val' and 'test'"
        )
    if "" in named or len(set(named)) < len(named):
        raise DataError(
            f"'{file}' has the lists {', '.join(lists)}; allowed: 'train', 'val' and 'test', "
            "each once"
        )
    return content


def _rows(rows: Any, key: str, file: Path) -> Sequence[tuple[str, int, str]]:
    if not isinstance(rows, list):
        raise DataError(f"'{key}' in '{file}' is no list of [path, label, class name]")
    for i, row in enumerate(rows):
        if not (
            isinstance(row, list)
            and len(row) == 3
            and isinstance(row[0], str)
            and type(row[1]) is int
            and isinstance(row[2], str)
        ):
            raise DataError(
                f"'{key}'[{i}] in '{file}' is {row!r:.80}; allowed: [path, label, class name]"
            )
    return rows


def _names(rows: Mapping[str, Sequence[tuple[str, int, str]]], file: Path) -> dict[int, str]:
    pairs = sorted({(label, name) for of_split in rows.values() for _, label, name in of_split})
    if not pairs:
        raise DataError(f"'{file}' names no pictures")
    names: dict[int, str] = {}
    for label, name in pairs:
        add_name(names, label, name, file)
    return names
