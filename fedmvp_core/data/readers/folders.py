"""What lies in a folder: one pass over each, no look at the files themselves."""

import os
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from fedmvp_core.data.readers.entries import SUFFIXES, is_system, suffix_of
from fedmvp_core.errors import DataError


def require_folder(folder: Path, what: str) -> Path:
    """`folder`, which must be there.

    Raises:
        DataError: it is not, or is a file.
    """
    if not folder.is_dir():
        raise DataError(f"{what}: '{folder}' is not a folder")
    return folder


def first_there(candidates: Sequence[Path]) -> Path:
    """The first of these files or folders that exists, or else the first of all."""
    return next((path for path in candidates if path.exists()), candidates[0])


def subfolders(folder: Path, ignored: Collection[str] = ()) -> list[str]:
    """Sorted names of the folders inside; a system's own and files are left out."""
    with os.scandir(folder) as found:
        names = [entry.name for entry in found if entry.is_dir() and not is_system(entry.name)]
    return sorted(name for name in names if name not in ignored)


def picture_names(folder: Path) -> list[str]:
    """Sorted names of the pictures right inside, told by their suffix; none if it is absent."""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    return sorted(name for name in names if suffix_of(name) in SUFFIXES and not is_system(name))


def relative_file(written: str, folder: Path) -> str:
    """A picture's name in a table or split file, relative to `folder`, with forward slashes.

    Windows' backslashes, "./", and absolute paths and "~/" that lead into the folder are taken too.
    """
    if "\\" in written and not (folder / written).exists():
        written = written.replace("\\", "/")
    if written.startswith(("/", "~/")):
        path = Path(written).expanduser()
        for root in (folder.absolute(), folder.resolve()):
            if path.is_relative_to(root):
                return path.relative_to(root).as_posix()
        return path.as_posix()
    return PurePosixPath(written).as_posix() if "./" in written or "//" in written else written


def check_files(
    folder: Path, files: Iterable[str], named_by: Path, lines: Mapping[str, int] | None = None
) -> None:
    """Every file must be there; each folder is listed once instead of asking for every file.

    files: relative to `folder`, with forward slashes. named_by: the file that names them, in these
    lines, where it has lines.

    Raises:
        DataError: some are missing (the first three and their number), or lie outside `folder`.
    """
    wanted: dict[str, list[str]] = defaultdict(list)
    for file in files:
        parent, _, name = file.rpartition("/")
        if file.startswith("/") or (parent not in wanted and ".." in parent.split("/")):
            where = f"'{parent or '/'}'{_line(lines, file)}"
            raise DataError(f"'{named_by}' names pictures in {where}, outside '{folder}'")
        wanted[parent].append(name)
    missing = []
    for parent, names in wanted.items():
        try:
            there = set(os.listdir(folder / parent))
        except (OSError, ValueError):  # ValueError: of a name with a zero byte
            there = set()
        absent = [name for name in names if name not in there]
        alike = {_folded(name): name for name in there} if absent else {}
        for name in absent:
            file = f"{parent}/{name}" if parent else name
            other = alike.get(_folded(name))
            hint = f" (there is '{other}')" if other else ""
            missing.append(f"{file}{_line(lines, file)}{hint}")
    if missing:
        raise DataError(
            f"'{named_by}' names {len(missing)} pictures that are not in '{folder}': "
            f"{first_few(missing)}"
        )


def _line(lines: Mapping[str, int] | None, file: str) -> str:
    return f" (line {lines[file]})" if lines else ""


def _folded(name: str) -> str:
    """Without case, and without the two ways to write an accent, which file systems differ in."""
    return unicodedata.normalize("NFC", name).casefold()


def read_lines(file: Path, data_set: str, needed: str = "") -> list[str]:
    """Lines of a text file that are not blank, stripped.

    needed: what the message adds about a file that is not there.

    Raises:
        DataError: the file is missing, or is not UTF-8.
    """
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError as error:
        raise DataError(f"{data_set} needs '{file}', which does not exist{needed}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{data_set}: '{file}' cannot be read as text: {error}") from error
    return [line.strip() for line in lines if line.strip()]


def first_few(names: Sequence[str], limit: int = 3) -> str:
    """The first names, and how many more there are."""
    more = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {more} more" if more > 0 else "")
