"""Anyone's own multi-label pictures: a folder with pictures and a table.

labels.csv          file,split,labels[,domain]
                    beach/001.jpg,train,dog;sea;person
                    beach/002.jpg,test,
attributes.json     optional: {class: [phrases]}

file: relative to the folder. split: train, validation or test, or another usual name of these
(readers.splits.split_named); an empty one is drawn, 60 / 20 / 20 % of those. labels: parted by
semicolons; none is allowed. Classes are all labels, sorted. Cells are parted by commas; or by
semicolons, tabs or bars, if the header is. Then a cell with several labels needs quotes.
"""

import dataclasses
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from fedmvp_core.attributes.files import read_attributes
from fedmvp_core.data.listing import SPLITS, Listing, Picture
from fedmvp_core.data.readers.entries import OTHER_MEDIA, has_system_part, suffix_of, with_readers
from fedmvp_core.data.readers.folders import check_files, first_few, relative_file
from fedmvp_core.data.readers.multilabel.csv_table import Table, read_table
from fedmvp_core.data.readers.multilabel.labels import label_faults, label_warnings
from fedmvp_core.data.readers.multilabel.tables import make_multi_label_listing
from fedmvp_core.data.readers.splits import seeded_split, split_named
from fedmvp_core.data.spellings import names_of
from fedmvp_core.errors import DataError

TABLE = "labels.csv"
COLUMNS = ("file", "split", "labels")
SHARES = (0.6, 0.2)  # of pictures without a split: training, validation; the rest is test


class _Row(NamedTuple):
    line: int
    file: str
    split: str  # "" = to be drawn
    labels: frozenset[str]  # as written
    domain: str


def csv_folder(folder: Path) -> Listing:
    """The pictures that labels.csv names; others in the folder are left alone.

    Raises:
        DataError: a column is missing, a split is unknown, a picture is named twice for one split
            or is missing, no picture has a label, or train or test is empty.
    """
    path = folder / TABLE
    if not folder.is_dir():
        raise DataError(f"data-dir '{folder}' is not a folder; '{TABLE}' is to be read from it")
    table = read_table(path)
    rows = _rows(table, path, folder)
    check_files(folder, [row.file for row in rows], path, {row.file: row.line for row in rows})
    name_of = names_of(set().union(*(row.labels for row in rows)))
    if not name_of:
        raise DataError(f"'{path}' gives no picture a label")
    class_names = tuple(sorted(set(name_of.values())))
    left_out, warnings = _left_out(dict.fromkeys(row.file for row in rows), path)
    kept = [row for row in _with_splits(rows, path) if row.file not in left_out]
    splits: dict[str, list[Picture]] = {}
    for row in kept:
        labels = tuple(sorted(class_names.index(name_of[label]) for label in row.labels))
        splits.setdefault(row.split, []).append(Picture(folder / row.file, labels, row.domain))
    for split in ("train", "test"):
        if split not in splits:
            raise DataError(f"'{path}' has no pictures for the {split} split")
    attribute_file = folder / "attributes.json"
    attributes = read_attributes(attribute_file) if attribute_file.exists() else None
    listing = make_multi_label_listing(
        folder.name, class_names, splits, notes=table.notes, attributes=attributes, own=True
    )
    read = {name_of[label] for row in kept for label in row.labels}
    lost = [name for name in class_names if name not in read]
    faults = [f"'{path}' has no picture that can be read of {first_few(lost)}"] if lost else []
    return dataclasses.replace(
        listing,
        warnings=(*warnings, *label_warnings(class_names)),
        faults=(*faults, *label_faults(class_names)),
    )


def _rows(table: Table, path: Path, folder: Path) -> list[_Row]:
    columns = tuple(column.lower() for column in table.columns)
    if not set(COLUMNS) <= set(columns) <= {*COLUMNS, "domain"} or len(set(columns)) < len(columns):
        raise DataError(
            f"'{path}' has the columns {', '.join(table.columns)}; "
            f"allowed: {', '.join(COLUMNS)} and, if wanted, domain"
        )
    rows = []
    for line, cells in table.rows:
        row = dict(zip(columns, cells.values(), strict=True))
        if not row["file"]:
            raise DataError(f"line {line} of '{path}' names no file")
        split = split_named(row["split"])
        if row["split"] and not split:
            raise DataError(
                f"line {line} of '{path}' has the split '{row['split']}'; allowed: train, "
                "validation (val, valid, dev), test, or nothing"
            )
        file, labels = relative_file(row["file"], folder), _labels(row["labels"])
        rows.append(_Row(line, file, split, labels, row.get("domain", "")))
    return rows


def _labels(cell: str) -> frozenset[str]:
    return frozenset(name.strip() for name in cell.split(";")) - {""}


def _left_out(files: Iterable[str], path: Path) -> tuple[set[str], list[str]]:
    """Files that are not read although the table names them, and a sentence on each kind."""
    system, media = [], []
    for file in files:
        if has_system_part(file):
            system.append(file)
        elif suffix_of(file) in OTHER_MEDIA:
            media.append(file)
    said = []
    if system:
        said.append(f"'{path}' names {len(system)} hidden or system files: {first_few(system)}")
    if media:
        suffixes = Counter(map(suffix_of, media))
        said.append(f"'{path}' names {len(media)} files not read here: {with_readers(suffixes)}")
    return {*system, *media}, said


def _with_splits(rows: list[_Row], path: Path) -> list[_Row]:
    """In the order of the table, with the splits that were to be drawn.

    A picture of several splits is refused, or allowed, by whoever trains on it.
    """
    lines: dict[tuple[str, str], int] = {}
    for row in rows:
        if (before := lines.setdefault((row.file, row.split), row.line)) != row.line:
            raise DataError(f"'{path}' names '{row.file}' twice, in lines {before} and {row.line}")
    free = [row.file for row in rows if not row.split]
    dealt = seeded_split(free, SHARES, "csv-folder") if free else []
    drawn = {file: split for split, files in zip(SPLITS, dealt, strict=False) for file in files}
    return [row if row.split else row._replace(split=drawn[row.file]) for row in rows]
