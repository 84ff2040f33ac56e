"""Anyone's own multi-label pictures: a folder with pictures and a table.

labels.csv          file,split,labels[,domain]
                    beach/001.jpg,train,dog;sea;person
                    beach/002.jpg,test,
attributes.json     optional: {class: [phrases]}

file: relative to the folder. split: train, validation (or val) or test; an empty one is drawn, 60 /
20 / 20 % of those. labels: parted by semicolons; none is allowed. Classes are all labels, sorted.
"""

from collections.abc import Mapping
from pathlib import Path

from fedmvp_core.attributes.files import read_attributes
from fedmvp_core.data.listing import SPLITS, Listing, Picture
from fedmvp_core.data.readers.folders import check_files
from fedmvp_core.data.readers.multilabel.tables import make_multi_label_listing, read_rows
from fedmvp_core.data.readers.splits import seeded_split
from fedmvp_core.errors import DataError

TABLE = "labels.csv"
COLUMNS = ("file", "split", "labels")
SPLIT_OF = {"train": "train", "validation": "validation", "val": "validation", "test": "test"}
SHARES = (0.6, 0.2)  # of pictures without a split: training, validation; the rest is test


def csv_folder(folder: Path) -> Listing:
    """The pictures that labels.csv names; others in the folder are left alone.

    Raises:
        DataError: a column is missing, a split is unknown, a picture is named twice or missing, no
            picture has a label, or train or test is empty.
    """
    table = folder / TABLE
    rows = read_rows(table)
    if not set(COLUMNS) <= rows[0].keys() <= {*COLUMNS, "domain"}:
        raise DataError(
            f"'{table}' has the columns {', '.join(rows[0])}; "
            f"allowed: {', '.join(COLUMNS)} and, if wanted, domain"
        )
    by_file = {row["file"]: row for row in rows}
    if len(by_file) < len(rows):
        raise DataError(f"'{table}' names {len(rows) - len(by_file)} pictures twice")
    check_files(folder, by_file, table)
    names_of = {file: _labels(row["labels"]) for file, row in by_file.items()}
    class_names = tuple(sorted(set().union(*names_of.values())))
    if not class_names:
        raise DataError(f"'{table}' gives no picture a label")
    splits: dict[str, list[Picture]] = {}
    for file, split in _splits(by_file, table).items():
        labels = tuple(sorted(class_names.index(name) for name in names_of[file]))
        domain = by_file[file].get("domain", "")
        splits.setdefault(split, []).append(Picture(folder / file, labels, domain))
    for split in ("train", "test"):
        if split not in splits:
            raise DataError(f"'{table}' has no pictures for the {split} split")
    attribute_file = folder / "attributes.json"
    attributes = read_attributes(attribute_file) if attribute_file.is_file() else None
    return make_multi_label_listing(folder.name, class_names, splits, attributes=attributes)


def _labels(cell: str) -> set[str]:
    return {name.strip() for name in cell.split(";")} - {""}


def _splits(by_file: Mapping[str, Mapping[str, str]], table: Path) -> dict[str, str]:
    """File -> split, in the order of the table."""
    given = {file: row["split"].lower() for file, row in by_file.items()}
    unknown = sorted({split for split in given.values() if split and split not in SPLIT_OF})
    if unknown:
        raise DataError(
            f"'{table}' has the split '{unknown[0]}'; allowed: {', '.join(SPLIT_OF)}, or nothing"
        )
    free = [file for file, split in given.items() if not split]
    dealt = seeded_split(free, SHARES, "csv-folder") if free else []
    drawn = {file: split for split, files in zip(SPLITS, dealt, strict=False) for file in files}
    return {file: SPLIT_OF[split] if split else drawn[file] for file, split in given.items()}
