"""Which picture files cannot be read, found by decoding each of them once."""

import json
from collections.abc import Sequence
from pathlib import Path

from fedmvp_core.data.pixels.files import files_key, in_threads, keep
from fedmvp_core.data.pixels.pictures import open_picture
from fedmvp_core.errors import DataError

NO_SIZE = 0  # in the key: whether a picture can be read does not depend on its decoded size


def unreadable(paths: Sequence[Path]) -> dict[int, str]:
    """Position -> what is wrong, of the files that are missing, damaged or no pictures."""
    faults = in_threads(_fault, paths)
    return {position: fault for position, fault in enumerate(faults) if fault}


def known_unreadable(paths: Sequence[Path], folder: Path) -> dict[int, str]:
    """`unreadable`, whose answer is kept in the cache folder until a file changes."""
    file = folder / f"{files_key(paths, NO_SIZE)}.json"
    try:
        found: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
        return {int(position): fault for position, fault in found.items()}
    except (OSError, ValueError, AttributeError):
        faults = unreadable(paths)

    def write(temporary: Path) -> None:
        temporary.write_text(json.dumps(faults), encoding="utf-8")

    keep(file, write)
    return faults


def _fault(path: Path) -> str:
    try:
        open_picture(path)
    except DataError as error:
        return str(error)
    return ""
