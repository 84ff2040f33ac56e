"""What a listing must not hold: pictures that are trained on and tested on, names without letters.

Pictures go by their names, as an image set has them: relative to the data set's folder.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from fedmvp_core.data.readers.folders import first_few
from fedmvp_core.errors import printable

HELD_OUT = ("test", "validation")


def name_faults(where: Path, names: Iterable[str]) -> list[str]:
    """What is to be said of names that are not valid UTF-8, with their bytes escaped.

    Names go into tables, reports and a model's sentences. where: the folder; its own path is looked
    at too.
    """
    odd = (name for name in (str(where), *names) if not name.isascii())
    parts = (part for name in odd for part in name.split("/"))
    bad = sorted({f"'{printable(part)}'" for part in parts if printable(part) != part})
    if not bad:
        return []
    which = f"the name {bad[0]}" if len(bad) == 1 else f"each of the names {first_few(bad)}"
    return [
        f"{which} (in '{printable(str(where))}') is not valid UTF-8; allowed: names in UTF-8 "
        "(convmv -f latin1 -t utf8 --notest renames)"
    ]


def leaks(names: Mapping[str, Sequence[str]]) -> list[str]:
    """What is to be said of pictures that are in train and in a split that is tested on.

    names: of the pictures of each split.
    """
    trained = set(names.get("train", ()))
    found = []
    for split in HELD_OUT:
        shared = sorted(trained.intersection(names.get(split, ())))
        if shared:
            found.append(f"{_count(shared)} in both 'train' and '{split}': {first_few(shared)}")
    return found


def twins(folder: Path, names: Mapping[str, Sequence[str]]) -> list[str]:
    """The same of pictures that differ in name but not in a byte; files of equal size are read."""
    trained = _by_size(folder, names.get("train", ()))
    found = []
    for split in HELD_OUT:
        held = _by_size(folder, set(names.get(split, ())).difference(names.get("train", ())))
        digests = {
            _digest(folder / name): name
            for size in sorted(trained.keys() & held.keys())
            for name in trained[size]
        }
        pairs = [
            f"{name} = {digests[digest]}"
            for size in sorted(trained.keys() & held.keys())
            for name in held[size]
            if (digest := _digest(folder / name)) in digests
        ]
        if pairs:
            said = f"{_count(pairs)} of '{split}' the same as one of 'train', byte for byte"
            found.append(f"{said}: {first_few(sorted(pairs))}")
    return found


def _count(found: Sequence[str]) -> str:
    return "1 picture is" if len(found) == 1 else f"{len(found)} pictures are"


def _by_size(folder: Path, names: Iterable[str]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    for name in names:
        try:
            found[(folder / name).stat().st_size].append(name)
        except OSError:  # said by whoever opens it
            continue
    return found


def _digest(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError:
        return str(path).encode("utf-8", "surrogateescape")
