"""Attribute phrases for the classes of a task, in the order of the class names."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from fedmvp_core.config import RunConfig
from fedmvp_core.data.image_set import Dataset
from fedmvp_core.errors import DataError

Attributes = Mapping[str, Sequence[str]]


def read_attributes(path: Path) -> dict[str, tuple[str, ...]]:
    """Read {class name: [phrases]}.

    Raises:
        DataError: the file is missing, no JSON, or not of that form.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"attributes file '{path}' cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise DataError(f"attributes file '{path}' holds a {type(content).__name__}, not an object")
    for name, phrases in content.items():
        strings = isinstance(phrases, list) and all(isinstance(p, str) and p for p in phrases)
        if not strings or not phrases:
            raise DataError(f"attributes of class '{name}' in '{path}' are no list of phrases")
    return {name: tuple(phrases) for name, phrases in content.items()}


def attributes_of(config: RunConfig, dataset: Dataset) -> Attributes | None:
    """What the key `attributes` chooses: the data set's own, none, or a file's."""
    if config.attributes == "none":
        return None
    if config.attributes == "auto":
        return dataset.attributes
    return read_attributes(Path(config.attributes).expanduser())


def in_class_order(
    attributes: Attributes | None, class_names: Sequence[str]
) -> tuple[tuple[str, ...], ...]:
    """Phrases of each class; () for every class when there are none at all.

    The order comes from the class names, never from the mapping, so that columns match labels.

    Raises:
        DataError: some classes have no phrases; all of them are named.
    """
    if attributes is None:
        return tuple(() for _ in class_names)
    missing = [name for name in class_names if name not in attributes]
    if missing:
        raise DataError(f"no attributes for the classes: {', '.join(missing)}")
    return tuple(tuple(attributes[name]) for name in class_names)
