"""Attribute phrases that come with the package: fedmvp_assets/attributes/<data set>.json."""

from fedmvp_core.attributes.phrases import name_key
from fedmvp_core.data.emoji.assets import asset_root, read_asset

FOLDER = "attributes"
# Other names that data sets go by, spelt as name_key leaves them.
ALIASES = {
    "coco2014": "coco",
    "describabletextures": "dtd",
    "mscoco": "coco",
    "oxfordiiitpet": "oxford_pets",
    "pascalvoc2007": "voc2007",
    "pets": "oxford_pets",
    "terra": "terra_incognita",
    "voc": "voc2007",
}


def shipped_names() -> tuple[str, ...]:
    """Sorted names of the shipped sets."""
    return tuple(sorted(path.stem for path in (asset_root() / FOLDER).glob("*.json")))


def find_shipped(dataset_name: str) -> str | None:
    """The shipped set of a data set, whatever its name's case and separators; None if none is."""
    key = name_key(dataset_name)
    by_key = {name_key(name): name for name in shipped_names()}
    return by_key.get(key, ALIASES.get(key))


def shipped_text(name: str) -> str:
    """The JSON of one shipped set, checked against the manifest.

    Raises:
        DataError: there is no such set, or its file is damaged.
    """
    return read_asset(f"{FOLDER}/{name}.json").decode("utf-8")
