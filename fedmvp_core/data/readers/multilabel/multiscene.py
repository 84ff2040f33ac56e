"""MultiScene-Clean (Hua et al., TGRS 2022): 36 kinds of places, 7,000 and 7,000 aerial pictures.

MultiScene-Clean/{Tra.csv,Test.csv}         a picture's name without ".jpg", then 0 or 1 a class
MultiScene-Clean/images/<name>.jpg

Class names are the columns', parted at capitals and with their slips of spelling mended.
"""

import re
from pathlib import Path

from fedmvp_core.data.listing import Listing, Picture
from fedmvp_core.data.readers.folders import check_files
from fedmvp_core.data.readers.multilabel.tables import make_multi_label_listing, read_indicators
from fedmvp_core.errors import DataError

PARTS = {"train": "Tra.csv", "test": "Test.csv"}
MENDED = {
    "lake pond": "lake or pond",
    "oil filed": "oil field",
    "solar pannel": "solar panel",
    "wind trubine": "wind turbine",
}
_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def multiscene(folder: Path) -> Listing:
    """The clean subset, whose labels people checked."""
    splits, columns = {}, {}
    for split, table in PARTS.items():
        columns[split], rows = read_indicators(folder / table)
        files = [row.file if row.file.endswith(".jpg") else f"{row.file}.jpg" for row in rows]
        check_files(folder / "images", files, folder / table)
        splits[split] = [
            Picture(folder / "images" / file, row.labels)
            for file, row in zip(files, rows, strict=True)
        ]
    if columns["train"] != columns["test"]:
        raise DataError(f"multiscene: Tra.csv and Test.csv in '{folder}' differ in columns")
    return make_multi_label_listing(
        "multiscene", [_readable(name) for name in columns["train"]], splits
    )


def _readable(column: str) -> str:
    words = _CAPITAL.sub(" ", column).lower()
    return MENDED.get(words, words)
