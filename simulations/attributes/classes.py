"""Class names for attributes: from a file, a shipped set or an installed data set."""

from collections.abc import Sequence
from pathlib import Path

from fedmvp_core.attributes.files import shipped_attributes
from fedmvp_core.attributes.phrases import name_key
from fedmvp_core.attributes.shipped import find_shipped
from fedmvp_core.config import parse_config
from fedmvp_core.errors import ConfigError, DataError
from fedmvp_core.user_files import parse_json, read_text
from simulations.runner.project import default_config

SMALLEST_IMAGE = 8  # pixels: only the names are wanted


def chosen_classes(file: Path | None, dataset: str, data_dir: str) -> tuple[str, ...]:
    """What --classes or --dataset, of which there must be one, names.

    Raises:
        ConfigError: both or neither are given, or the data set is unknown.
        DataError: the file or the data set cannot be read.
    """
    if (file is None) == (not dataset):
        raise ConfigError("give the classes either by --classes FILE or by --dataset NAME")
    return read_class_names(file) if file is not None else dataset_classes(dataset, data_dir)


def read_class_names(path: Path) -> tuple[str, ...]:
    """One name a line, or JSON: an array of names, or an object whose keys are the names.

    Raises:
        DataError: it cannot be read, holds no name, or one twice.
    """
    try:
        text = read_text(path)
    except (OSError, ValueError) as error:
        raise DataError(f"class names '{path}' cannot be read: {error}") from error
    is_json = text.lstrip().startswith(("[", "{", "```"))
    names = _json_names(text, path) if is_json else text.splitlines()
    names = [name.strip() for name in names if name.strip()]
    keys = [name_key(name) for name in names]
    twice = [name for i, name in enumerate(names) if keys[i] in keys[:i]]
    if not names or twice:
        raise DataError(
            f"'{path}' names {', '.join(twice)} twice" if twice else f"'{path}' holds no class name"
        )
    return tuple(names)


def _json_names(text: str, path: Path) -> Sequence[str]:
    try:
        names = list(parse_json(text))
    except ValueError as error:
        raise DataError(f"class names '{path}' cannot be read: {error}") from error
    if not all(isinstance(name, str) for name in names):
        raise DataError(f"'{path}' holds class names that are no strings")
    return names


def dataset_classes(dataset: str, data_dir: str) -> tuple[str, ...]:
    """The classes of an installed data set with its pictures, else of a shipped set.

    Raises:
        ConfigError: neither is called so.
        DataError: the data set cannot be read.
    """
    if not data_dir and find_shipped(dataset):
        return tuple(shipped_attributes(dataset))
    config = parse_config({**default_config(), "dataset": dataset, "data-dir": data_dir})
    from fedmvp_core.data.plugins import load_dataset  # with torch

    return load_dataset(config.data, config.run, SMALLEST_IMAGE).class_names
