"""MLRSNet (Qi et al., ISPRS 2020): 109,161 satellite pictures, 46 categories, 60 labels.

MLRSNet/Labels/<category>.csv               a picture's file name, then 0 or 1 a label
MLRSNet/Images/<category>/<file>

The data set has no splits. Here 70 % of each category are for training, 10 % for validation and
20 % for test, by the hash of the file names: the same on every machine. (OpenFedML trains on the
first 23 categories and then tests on them too, so its numbers are no test numbers.) Its protocol
takes only pictures with seven labels or more: `min_labels`.
"""

from pathlib import Path

from fedmvp_core.data.listing import SPLITS, Listing, Picture
from fedmvp_core.data.readers.entries import is_system
from fedmvp_core.data.readers.folders import check_files, require_folder
from fedmvp_core.data.readers.multilabel.tables import make_multi_label_listing, read_indicators
from fedmvp_core.data.readers.splits import seeded_split
from fedmvp_core.errors import DataError

SHARES = (0.7, 0.1)  # training, validation; the rest is test
MENDED = {"habor": "harbor"}


def mlrsnet(folder: Path, min_labels: int = 0) -> Listing:
    """min_labels: pictures with fewer are left out, of every split, after it is drawn."""
    found_tables = require_folder(folder / "Labels", "mlrsnet").glob("*.csv")
    tables = sorted(table for table in found_tables if not is_system(table.name))
    if not tables:
        raise DataError(f"mlrsnet: '{folder / 'Labels'}' holds no tables (<category>.csv)")
    splits: dict[str, list[Picture]] = {split: [] for split in SPLITS}
    columns: tuple[str, ...] = ()
    for table in tables:
        found, rows = read_indicators(table)
        columns = columns or found
        if found != columns:
            raise DataError(f"mlrsnet: '{table}' and '{tables[0]}' differ in columns")
        pictures = folder / "Images" / table.stem
        check_files(pictures, (row.file for row in rows), table)
        labels_of = {row.file: row.labels for row in rows}
        dealt = seeded_split(labels_of, SHARES, f"mlrsnet {table.stem}")
        for split, files in zip(SPLITS, dealt, strict=True):
            splits[split] += [Picture(pictures / file, labels_of[file]) for file in files]
    names = [MENDED.get(name, name) for name in columns]
    return make_multi_label_listing("mlrsnet", names, splits, min_labels)
