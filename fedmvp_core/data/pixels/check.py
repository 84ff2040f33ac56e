"""What is particular about picture files, found by decoding each of them once."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from fedmvp_core.data.pixels.files import files_key, in_threads, keep
from fedmvp_core.data.pixels.pictures import (
    DAMAGED,
    LARGE,
    UNREADABLE,
    opened,
    orientation,
    upright,
)
from fedmvp_core.errors import DataError

NO_SIZE = 0  # in the key: whether a picture can be read does not depend on its decoded size
SIDE = 224  # of a large picture, what is decoded to see whether it can be
SEVERAL = frozenset({"GIF", "WEBP", "PNG", "TIFF"})  # a JPEG's second picture is a phone's preview


class Looked(NamedTuple):
    """What is wrong with a file ("": nothing), and what is done with its pixels.

    turned: as EXIF says. frames: or pages, of which the first is taken. reduced: it is large.
    """

    fault: str
    turned: bool = False
    frames: int = 1
    reduced: bool = False


def look_at(paths: Sequence[Path]) -> list[Looked]:
    """Decode every file."""
    return list(in_threads(_look, paths))


def unreadable(paths: Sequence[Path]) -> dict[int, str]:
    """Position -> what is wrong, of the files that are missing, damaged or no pictures."""
    looked = in_threads(_look, paths)
    return {position: one.fault for position, one in enumerate(looked) if one.fault}


def known_unreadable(paths: Sequence[Path], folder: Path) -> dict[int, str]:
    """`unreadable`, whose answer is kept in the cache folder until a file changes."""
    file = folder / f"{files_key(paths, NO_SIZE)}.json"
    try:
        found: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
        kept = {int(position): fault for position, fault in found.items()}
        if all(position in range(len(paths)) for position in kept) and all(
            isinstance(fault, str) for fault in kept.values()
        ):
            return kept
    except (OSError, ValueError, AttributeError, RecursionError):
        pass  # there is none, or it is damaged
    faults = unreadable(paths)

    def write(temporary: Path) -> None:
        temporary.write_text(json.dumps(faults), encoding="utf-8")

    keep(file, write)
    return faults


def _look(path: Path) -> Looked:
    try:
        with opened(path) as picture:
            reduced = picture.width * picture.height > LARGE
            tag = orientation(picture)
            frames = _frames(picture)
            upright(picture, SIDE)
            turned = max(tag, orientation(picture)) > 1
            return Looked("", turned, frames, reduced)
    except DataError as error:
        return Looked(str(error))


def _frames(picture: Image.Image) -> int:
    if picture.format not in SEVERAL:
        return 1
    try:
        return getattr(picture, "n_frames", 1)
    except (*UNREADABLE, *DAMAGED):  # a later frame is damaged, which nobody looks at
        return 2
