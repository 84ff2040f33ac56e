"""The attribute phrases that the key `attributes` chooses for a data set."""

import logging
from pathlib import Path

from fedmvp_core.attributes.files import (
    Attributes,
    missing_classes,
    read_attributes,
    shipped_attributes,
)
from fedmvp_core.attributes.shipped import find_shipped
from fedmvp_core.config import DataSection
from fedmvp_core.data.image_set import Dataset

# What `attributes = "template"` gives to every class: names of aspects, no knowledge of the class.
GENERIC_PHRASES = (
    "its typical outline",
    "its typical colours",
    "its typical texture",
    "its typical parts",
    "its typical size",
    "its typical surroundings",
)
logger = logging.getLogger(__name__)


def attributes_of(data: DataSection, dataset: Dataset) -> Attributes | None:
    """Phrases by class name; None: a class is its plain sentence. The key `attributes` may be

    auto      the data set's own, else the shipped set of the data set's name, else none
    none      none
    template  GENERIC_PHRASES for every class
    shuffled  as auto, each class with the phrases of the next one by name: for ablations
    a path    a JSON file, see read_attributes

    Raises:
        DataError: the file cannot be read.
    """
    if data.attributes == "none":
        return None
    if data.attributes == "template":
        return dict.fromkeys(dataset.class_names, GENERIC_PHRASES)
    if data.attributes in ("auto", "shuffled"):
        own = _shipped_for(dataset) if dataset.attributes is None else dataset.attributes
        return own if own is None or data.attributes == "auto" else _of_the_next(own)
    return read_attributes(Path(data.attributes).expanduser())


def _of_the_next(attributes: Attributes) -> Attributes:
    names = sorted(attributes)
    followers = [*names[1:], *names[:1]]
    return {name: attributes[other] for name, other in zip(names, followers, strict=True)}


def _shipped_for(dataset: Dataset) -> Attributes | None:
    found = find_shipped(dataset.name)
    if found is None:
        return None
    attributes = shipped_attributes(found)
    missing = missing_classes(attributes, dataset.class_names)
    if missing:  # anyone may call a folder of pictures "coco"
        logger.warning(
            "the shipped attributes of %s are not used: they lack the classes %s",
            found,
            ", ".join(missing),
        )
        return None
    return attributes
