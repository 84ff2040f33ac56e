"""Attribute phrases of classes: read from JSON, and brought into the order of class names."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from fedmvp_core.attributes.phrases import name_key, phrase_key
from fedmvp_core.attributes.shipped import find_shipped, shipped_names, shipped_text
from fedmvp_core.errors import DataError
from fedmvp_core.user_files import parse_json, read_text

Attributes: TypeAlias = Mapping[str, Sequence[str]]


class _Pairs(list[tuple[str, Any]]):
    """A JSON object as it is written: a name that comes twice is not lost."""


def read_attributes(path: Path) -> dict[str, tuple[str, ...]]:
    """Read {class name: [phrases]}; FedMVP's own files are of this form.

    Raises:
        DataError: the file is missing, no JSON, or see parse_attributes.
    """
    try:
        text = read_text(path)
    except (OSError, ValueError) as error:
        raise DataError(f"attributes file '{path}' cannot be read: {error}") from error
    return parse_attributes(text, str(path))


def parse_attributes(text: str, source: str) -> dict[str, tuple[str, ...]]:
    """{class name: [phrases]} from JSON; `source` is what errors call it.

    Raises:
        DataError: no JSON, not of that form, or a class or a phrase of a class comes twice.
    """
    try:
        content = parse_json(text, _Pairs)
    except ValueError as error:
        raise DataError(f"attributes file '{source}' cannot be read: {error}") from error
    if not isinstance(content, _Pairs):
        kind = type(content).__name__
        raise DataError(f"attributes file '{source}' holds a {kind}, not an object")
    for name, phrases in content:
        strings = isinstance(phrases, list) and all(isinstance(p, str) for p in phrases)
        if not strings or not phrases or not all(map(phrase_key, phrases)):
            raise DataError(f"attributes of class '{name}' in '{source}' are no list of phrases")
        twice = _repeated(phrases, map(phrase_key, phrases))
        if twice:
            raise DataError(f"class '{name}' in '{source}' has a phrase twice: {twice}")
    names = [name for name, _ in content]
    twice = _repeated(names, map(name_key, names))
    if twice:
        raise DataError(f"attributes file '{source}' holds a class twice: {twice}")
    return {name: tuple(phrases) for name, phrases in content}


def _repeated(texts: Iterable[str], keys: Iterable[str]) -> str:
    """The texts whose key came before, each with the one that it repeats, or ""."""
    seen: dict[str, str] = {}
    repeated = []
    for text, key in zip(texts, keys, strict=True):
        if key in seen:
            repeated.append(f"'{text}' (after '{seen[key]}')")
        seen.setdefault(key, text)
    return ", ".join(repeated)


def shipped_attributes(name: str) -> dict[str, tuple[str, ...]]:
    """A shipped set, by the name of its data set.

    Raises:
        DataError: there is none of that name, or its file is damaged.
    """
    found = find_shipped(name)
    if found is None:
        raise DataError(
            f"no attributes are shipped for '{name}'; for: {', '.join(shipped_names())}"
        )
    return parse_attributes(shipped_text(found), f"shipped {found}")


def missing_classes(attributes: Attributes, class_names: Iterable[str]) -> list[str]:
    """The class names that have no phrases, in their order."""
    known = {name_key(name) for name in attributes}
    return [name for name in class_names if name_key(name) not in known]


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
    missing = missing_classes(attributes, class_names)
    if missing:
        raise DataError(f"no attributes for the classes: {', '.join(missing)}")
    by_key = {name_key(name): tuple(phrases) for name, phrases in attributes.items()}
    # The exact name first: two classes of a data set may differ in a separator alone.
    return tuple(tuple(attributes.get(n, by_key[name_key(n)])) for n in class_names)
