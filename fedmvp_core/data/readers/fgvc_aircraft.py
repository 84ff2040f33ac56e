"""FGVC-Aircraft: fgvc_aircraft/{images,variants.txt,images_variant_{train,val,test}.txt}."""

from collections.abc import Mapping
from pathlib import Path

from fedmvp_core.data.listing import Listing
from fedmvp_core.data.readers.assemble import Part, make_listing
from fedmvp_core.data.readers.folders import check_files, read_lines, require_folder
from fedmvp_core.data.readers.splits import Entry
from fedmvp_core.errors import DataError

FILES = {
    "train": "images_variant_train.txt",
    "validation": "images_variant_val.txt",
    "test": "images_variant_test.txt",
}


def fgvc_aircraft(folder: Path) -> Listing:
    """100 aircraft variants (Maji et al. 2013), official splits; lines "1025794 707-320"."""
    require_folder(folder, "fgvc_aircraft")
    pictures = require_folder(folder / "images", "fgvc_aircraft")
    variants = read_lines(folder / "variants.txt", "fgvc_aircraft")
    labels = {variant: label for label, variant in enumerate(variants)}
    splits = {split: _entries(folder / file, pictures, labels) for split, file in FILES.items()}
    return make_listing("fgvc_aircraft", variants, [Part(pictures, splits)])


def _entries(file: Path, pictures: Path, labels: Mapping[str, int]) -> list[Entry]:
    entries = []
    for line in read_lines(file, "fgvc_aircraft"):
        picture, _, variant = line.partition(" ")
        if variant not in labels:
            raise DataError(f"'{file}' has the variant '{variant}'; allowed: those of variants.txt")
        entries.append(Entry(f"{picture}.jpg", labels[variant]))
    check_files(pictures, (entry.file for entry in entries), file)
    return entries
