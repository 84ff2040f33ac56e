"""Stanford Cars: stanford_cars/{cars_train,cars_test,devkit,cars_test_annos_withlabels.mat,
split_zhou_StanfordCars.json}; paths in the split file start at stanford_cars."""

from pathlib import Path

from fedmvp_core.data.listing import Listing
from fedmvp_core.data.readers.coop import from_official_split, from_split_json, supply
from fedmvp_core.data.readers.folders import first_there
from fedmvp_core.data.readers.mat_files import read_mat, scalar
from fedmvp_core.data.readers.splits import Entry
from fedmvp_core.errors import DataError

SPLIT = "split_zhou_StanfordCars.json"


def stanford_cars(folder: Path) -> Listing:
    """196 cars by make, model and year (Krause et al. 2013): "2012 AM General Hummer SUV".

    Without the split file: the official .mat files, the year moved to the front as CoOp does.
    """
    listing = from_split_json("stanford_cars", folder, folder, SPLIT)
    if listing:
        return listing
    devkit = folder / "devkit"
    meta = read_mat(devkit / "cars_meta.mat", "stanford_cars", supply(SPLIT), "class_names")
    class_names = [_year_first(str(scalar(name))) for name in meta]
    test = "cars_test_annos_withlabels.mat"
    files = {
        "train": devkit / "cars_train_annos.mat",
        "test": first_there([folder / test, devkit / test]),
    }
    lists = {
        split: (file, _entries(file, f"cars_{split}", len(class_names)))
        for split, file in files.items()
    }
    return from_official_split("stanford_cars", class_names, folder, SPLIT, lists)


def _entries(file: Path, pictures: str, classes: int) -> list[Entry]:
    records = read_mat(file, "stanford_cars", supply(SPLIT), "annotations")
    if not {"fname", "class"} <= set(records.dtype.names or ()):
        raise DataError(f"'{file}' holds no labels; allowed: annotations with 'fname' and 'class'")
    entries = [
        Entry(f"{pictures}/{scalar(record['fname'])}", int(scalar(record["class"])) - 1)
        for record in records
    ]
    strange = {entry.label + 1 for entry in entries if not 0 <= entry.label < classes}
    if strange:
        raise DataError(f"'{file}' has the class {min(strange)}; allowed: 1 to {classes}")
    return entries


def _year_first(name: str) -> str:
    car, _, year = name.rpartition(" ")
    return f"{year} {car}"
