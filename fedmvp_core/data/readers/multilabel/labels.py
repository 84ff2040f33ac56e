"""Labels of a user's own table that look like several: "dog,sea" and "dog | sea"."""

import re
from collections import Counter
from collections.abc import Sequence

from fedmvp_core.attributes.phrases import name_key
from fedmvp_core.data.readers.folders import first_few

_PARTED = re.compile(r"[,|/\t]")
_LIKELY = re.compile(r"[,|\t]")  # "/" is in many a name, such as "F/A-18"


def label_faults(names: Sequence[str]) -> list[str]:
    """Labels of which a part is a label too, or a part of another one.

    "maillot, tank suit" is not one, unless there is a label "tank suit" as well.
    """
    wrong = _joined(names)
    if not wrong:
        return []
    return [
        f"{len(wrong)} labels look like several in one: {_quoted(wrong)}; labels are parted by "
        "semicolons, such as 'dog;sea'"
    ]


def label_warnings(names: Sequence[str]) -> list[str]:
    """Labels with a comma or a bar that may still be one name."""
    wrong = set(_joined(names))
    doubtful = [name for name in names if _LIKELY.search(name) and name not in wrong]
    if not doubtful:
        return []
    return [
        f"{len(doubtful)} labels hold ',' or '|' and are one class each: {_quoted(doubtful)}; "
        "labels are parted by semicolons"
    ]


def _joined(names: Sequence[str]) -> list[str]:
    parts = {name: {name_key(part) for part in _PARTED.split(name)} - {""} for name in names}
    held = Counter(key for keys in parts.values() for key in keys)
    return [
        name for name, keys in parts.items() if len(keys) > 1 and any(held[key] > 1 for key in keys)
    ]


def _quoted(names: Sequence[str]) -> str:
    return first_few([f"'{name}'" for name in names])
