"""Oxford-IIIT Pet: oxford_pets/{images,annotations,split_zhou_OxfordPets.json}."""

from pathlib import Path

from fedmvp_core.data.listing import Listing
from fedmvp_core.data.readers.coop import from_official_split, from_split_json, supply
from fedmvp_core.data.readers.folders import read_lines
from fedmvp_core.data.readers.split_json import add_name, in_label_order, label_in
from fedmvp_core.data.readers.splits import Entry
from fedmvp_core.errors import DataError

SPLIT = "split_zhou_OxfordPets.json"


def oxford_pets(folder: Path) -> Listing:
    """37 breeds of cats and dogs (Parkhi et al. 2012), in lower case.

    Without the split file: annotations/{trainval,test}.txt, lines "Abyssinian_100 1 1 1" (picture,
    label from 1, species, number), the breed taken from the picture's name.
    """
    pictures = folder / "images"
    listing = from_split_json("oxford_pets", folder, pictures, SPLIT)
    if listing:
        return listing
    names: dict[int, str] = {}
    lists = {}
    for split, file_name in (("train", "trainval.txt"), ("test", "test.txt")):
        file = folder / "annotations" / file_name
        lists[split] = file, _entries(file, names)
    class_names = in_label_order(names, folder / "annotations")
    return from_official_split("oxford_pets", class_names, pictures, SPLIT, lists)


def _entries(file: Path, names: dict[int, str]) -> list[Entry]:
    """What a list says; the breeds go into `names`, by label."""
    entries = []
    for line in read_lines(file, "oxford_pets", supply(SPLIT)):
        fields = line.split()
        picture, _, number = fields[0].rpartition("_")
        written = label_in(fields[1]) if len(fields) == 4 else None
        if written is None or not picture or not number:
            raise DataError(
                f"'{file}' has the line '{line:.80}'; allowed: 'Breed_number label 1 1'"
            )
        add_name(names, written - 1, picture.lower(), file)
        entries.append(Entry(f"{fields[0]}.jpg", written - 1))
    return entries
