"""Anyone's own multi-label pictures: a folder with pictures and a table.

labels.csv          file,split,labels[,domain]
                    beach/001.jpg,train,dog;sea;person
                    beach/002.jpg,test,
attributes.json     optional: {class: [phrases]}

file: relative to the folder. split: train, validation or test, or another usual name of these
(readers.splits.split_named); an empty one is drawn, 60 / 20 / 20 % of those. labels: parted by
semicolons; none is allowed. Classes are all labels, sorted.
"""

import dataclasses
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from fedmvp_core.attributes.files import read_attributes
from fedmvp_core.data.listing import SPLITS, Listing, Picture
from fedmvp_core.data.readers.entries import OTHER_MEDIA, has_system_part, suffix_of, with_readers
from fedmvp_core.data.readers.folders import check_files, first_few
from fedmvp_core.data.readers.multilabel.labels import label_faults, label_warnings
from fedmvp_core.data.readers.multilabel.tables import make_multi_label_listing, read_rows
from fedmvp_core.data.readers.splits import seeded_split, split_named
from fedmvp_core.data.spellings import names_of
from fedmvp_core.errors import DataError

TABLE = "labels.csv"
COLUMNS = ("file", "split", "labels")
SHARES = (0.6, 0.2)  # of pictures without a split: training, validation; the rest is test


def csv_folder(folder: Path) -> Listing:
    """The pictures that labels.csv names; others in the folder are left alone.

    Raises:
        DataError: a column is missing, a split is unknown, a picture is named twice or missing, no
            picture has a label, or train or test is empty.
    """
    table = folder / TABLE
    by_file = _by_file(table)
    check_files(folder, by_file, table)
    written = {file: _labels(row["labels"]) for file, row in by_file.items()}
    name_of = names_of(set().union(*written.values()))
    if not name_of:
        raise DataError(f"'{table}' gives no picture a label")
    class_names = tuple(sorted(set(name_of.values())))
    left_out, warnings = _left_out(by_file, table)
    splits: dict[str, list[Picture]] = {}
    for file, split in _splits(by_file, table).items():
        if file in left_out:
            continue
        labels = tuple(sorted(class_names.index(name_of[label]) for label in written[file]))
        domain = by_file[file].get("domain", "")
        splits.setdefault(split, []).append(Picture(folder / file, labels, domain))
    for split in ("train", "test"):
        if split not in splits:
            raise DataError(f"'{table}' has no pictures for the {split} split")
    attribute_file = folder / "attributes.json"
    attributes = read_attributes(attribute_file) if attribute_file.is_file() else None
    listing = make_multi_label_listing(
        folder.name, class_names, splits, attributes=attributes, own=True
    )
    kept = {name_of[label] for file in written.keys() - left_out for label in written[file]}
    lost = [name for name in class_names if name not in kept]
    faults = [f"'{table}' has no picture that can be read of {first_few(lost)}"] if lost else []
    return dataclasses.replace(
        listing,
        warnings=(*warnings, *label_warnings(class_names)),
        faults=(*faults, *label_faults(class_names)),
    )


def _by_file(table: Path) -> dict[str, dict[str, str]]:
    """File -> its row."""
    rows = read_rows(table)
    if not set(COLUMNS) <= rows[0].keys() <= {*COLUMNS, "domain"}:
        raise DataError(
            f"'{table}' has the columns {', '.join(rows[0])}; "
            f"allowed: {', '.join(COLUMNS)} and, if wanted, domain"
        )
    by_file = {row["file"]: row for row in rows}
    if len(by_file) < len(rows):
        raise DataError(f"'{table}' names {len(rows) - len(by_file)} pictures twice")
    return by_file


def _left_out(by_file: Mapping[str, object], table: Path) -> tuple[set[str], list[str]]:
    """Files that are not read although the table names them, and a sentence on each kind."""
    system = [file for file in by_file if has_system_part(file)]
    media = [
        file for file in by_file if suffix_of(file) in OTHER_MEDIA and not has_system_part(file)
    ]
    said = []
    if system:
        said.append(f"'{table}' names {len(system)} hidden or system files: {first_few(system)}")
    if media:
        suffixes = Counter(map(suffix_of, media))
        said.append(f"'{table}' names {len(media)} files not read here: {with_readers(suffixes)}")
    return {*system, *media}, said


def _labels(cell: str) -> set[str]:
    return {name.strip() for name in cell.split(";")} - {""}


def _splits(by_file: Mapping[str, Mapping[str, str]], table: Path) -> dict[str, str]:
    """File -> split, in the order of the table."""
    given = {file: row["split"] for file, row in by_file.items()}
    split_of = {split: split_named(split) for split in set(given.values())}
    unknown = sorted(split for split, meant in split_of.items() if split and not meant)
    if unknown:
        raise DataError(
            f"'{table}' has the split '{unknown[0]}'; allowed: train, validation (val, valid, "
            "dev), test, or nothing"
        )
    free = [file for file, split in given.items() if not split]
    dealt = seeded_split(free, SHARES, "csv-folder") if free else []
    drawn = {file: split for split, files in zip(SPLITS, dealt, strict=False) for file in files}
    return {file: split_of[split] or drawn[file] for file, split in given.items()}
