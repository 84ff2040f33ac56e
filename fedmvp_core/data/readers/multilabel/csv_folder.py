"""Anyone's own multi-label pictures: a folder with pictures and a table.

labels.csv          file,split,labels[,domain]
                    beach/001.jpg,train,dog;sea;person
                    beach/002.jpg,test,
attributes.json     optional: {class: [phrases]}

file: relative to the folder. split: train, validation (or val) or test; an empty one is drawn, 60 /
20 / 20 % of those. labels: parted by semicolons; none is allowed. Classes are all labels, sorted.
Cells are parted by commas; or by semicolons, tabs or bars, if the header is. Then a cell with
several labels needs quotes.
"""

from pathlib import Path
from typing import NamedTuple

from fedmvp_core.attributes.files import read_attributes
from fedmvp_core.data.listing import SPLITS, Listing, Picture
from fedmvp_core.data.readers.folders import check_files, relative_file
from fedmvp_core.data.readers.multilabel.csv_table import Table, read_table
from fedmvp_core.data.readers.multilabel.tables import make_multi_label_listing
from fedmvp_core.data.readers.splits import seeded_split
from fedmvp_core.errors import DataError

TABLE = "labels.csv"
COLUMNS = ("file", "split", "labels")
SPLIT_OF = {"train": "train", "validation": "validation", "val": "validation", "test": "test"}
SHARES = (0.6, 0.2)  # of pictures without a split: training, validation; the rest is test


class _Row(NamedTuple):
    line: int
    file: str
    split: str  # "" = to be drawn
    labels: frozenset[str]
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
    class_names = tuple(sorted(set().union(*(row.labels for row in rows))))
    if not class_names:
        raise DataError(f"'{path}' gives no picture a label")
    splits: dict[str, list[Picture]] = {}
    for row in _with_splits(rows, path):
        labels = tuple(sorted(class_names.index(name) for name in row.labels))
        splits.setdefault(row.split, []).append(Picture(folder / row.file, labels, row.domain))
    for split in ("train", "test"):
        if split not in splits:
            raise DataError(f"'{path}' has no pictures for the {split} split")
    attribute_file = folder / "attributes.json"
    attributes = read_attributes(attribute_file) if attribute_file.exists() else None
    return make_multi_label_listing(
        folder.name, class_names, splits, notes=table.notes, attributes=attributes
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
        split = row["split"].lower()
        if split and split not in SPLIT_OF:
            raise DataError(
                f"line {line} of '{path}' has the split '{split}'; "
                f"allowed: {', '.join(SPLIT_OF)}, or nothing"
            )
        file, labels = relative_file(row["file"], folder), _labels(row["labels"])
        rows.append(_Row(line, file, SPLIT_OF.get(split, ""), labels, row.get("domain", "")))
    return rows


def _labels(cell: str) -> frozenset[str]:
    return frozenset(name.strip() for name in cell.split(";")) - {""}


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
