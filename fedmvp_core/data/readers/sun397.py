"""SUN397: sun397/{SUN397,ClassName.txt,Training_01.txt,Testing_01.txt,split_zhou_SUN397.json}."""

from collections.abc import Mapping
from pathlib import Path

from fedmvp_core.data.listing import Listing
from fedmvp_core.data.readers.coop import from_official_split, from_split_json, supply
from fedmvp_core.data.readers.folders import first_there, read_lines
from fedmvp_core.data.readers.splits import Entry
from fedmvp_core.errors import DataError

SPLIT = "split_zhou_SUN397.json"


def sun397(folder: Path) -> Listing:
    """397 scenes (Xiao et al. 2010); "/a/apse/indoor" becomes "indoor apse".

    Without the split file: the first of the official partitions (Partitions.zip), a path a line.
    """
    pictures = folder / "SUN397"
    listing = from_split_json("sun397", folder, pictures, SPLIT)
    if listing:
        return listing
    # The archive of the pictures holds a copy of ClassName.txt, that of the partitions another.
    classes_file = first_there([folder / "ClassName.txt", pictures / "ClassName.txt"])
    paths = [line.lstrip("/") for line in read_lines(classes_file, "sun397", supply(SPLIT))]
    labels = {path: label for label, path in enumerate(paths)}
    lists = {}
    for split, file_name in (("train", "Training_01.txt"), ("test", "Testing_01.txt")):
        file = folder / file_name
        lists[split] = file, _entries(file, labels)
    class_names = [_name(path) for path in paths]
    return from_official_split("sun397", class_names, pictures, SPLIT, lists)


def _entries(file: Path, labels: Mapping[str, int]) -> list[Entry]:
    entries = []
    for line in read_lines(file, "sun397", f" (from Partitions.zip){supply(SPLIT)}"):
        picture = line.lstrip("/")
        class_path = picture.rpartition("/")[0]
        if class_path not in labels:
            raise DataError(f"'{file}' names '{line}', whose class is none of ClassName.txt's")
        entries.append(Entry(picture, labels[class_path]))
    return entries


def _name(path: str) -> str:
    """Without the first letter, and turned round, so that "indoor" and "outdoor" come first."""
    return " ".join(reversed(path.split("/")[1:]))
