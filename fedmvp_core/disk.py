"""Files that are either whole or absent, and where the cache lives."""

import logging
import os
import re
import uuid
from collections.abc import Callable
from pathlib import Path

logger = logging.getLogger(__name__)

_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{32}")


def cache_directory(configured: str) -> Path:
    """The configured folder, else $XDG_CACHE_HOME/fedmvp or ~/.cache/fedmvp."""
    if configured:
        return Path(configured).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "fedmvp"


def replace_file(path: Path, write: Callable[[Path], None], durable: bool = False) -> None:
    """Write to a temporary name beside `path`, then rename: nobody ever sees half a file.

    durable: it is on the disk when this returns, so that it outlives a loss of power too.

    Raises:
        OSError: the folder cannot be written or the disk is full; nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    temporary.touch(exist_ok=False)  # with the rights of any new file: tempfile's are private
    try:
        write(temporary)
        if durable:
            _to_disk(temporary)
        temporary.replace(path)
        if durable:
            _to_disk(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _to_disk(path: Path) -> None:
    """Wait until what the system holds of a file, or the names in a folder, is written."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files of a replace_file whose process was killed."""
    for path in folder.glob(".*"):
        if _TEMPORARY.fullmatch(path.name):
            path.unlink(missing_ok=True)


def replace_text(path: Path, text: str) -> None:
    """Like replace_file, for UTF-8 text.

    Raises:
        OSError: see replace_file.
    """
    replace_file(path, lambda temporary: _write_text(temporary, text))


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def write_atomically(path: Path, write: Callable[[Path], None]) -> bool:
    """Like replace_file, for caches: a folder that cannot be written is a warning, not an error."""
    try:
        replace_file(path, write)
    except OSError as error:
        logger.warning("nothing is cached: '%s' cannot be written: %s", path, error)
        return False
    return True
