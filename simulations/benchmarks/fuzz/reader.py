"""What is fuzzed: a reader of one file, sound contents of it, and how a reading is judged.

A damaged file is read as the same kind of value, or refused with one of the project's own errors,
in a sentence that names the file. Anything else is a fault.
"""

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fedmvp_core.errors import FedMVPError

PROJECT = Path(__file__).resolve().parents[3]
READ, REFUSED = "read", "refused"
# What torch and Python say of memory that is not there; some readers make a sentence of it.
_NO_MEMORY = ("MemoryError", "can't allocate memory")


def nothing_else(path: Path) -> None:
    """Nothing lies beside the file."""


@dataclass(frozen=True)
class Reader:
    """A reader of one file.

    file: its name in a folder. sound: contents that are read. read: reads the file at a path.
    beside: writes what must lie beside it. named: whether an error names the file; one about a
    message names its sender. refuses: the errors that are allowed.
    """

    file: str
    sound: Callable[[], Sequence[bytes]]
    read: Callable[[Path], object]
    beside: Callable[[Path], None] = nothing_else
    named: bool = True
    refuses: tuple[type[Exception], ...] = (FedMVPError,)

    def prepare(self, folder: Path) -> Path:
        """The path of the file in a folder that holds what must lie beside it."""
        path = folder / self.file
        path.parent.mkdir(parents=True, exist_ok=True)
        self.beside(path)
        return path


@dataclass(frozen=True)
class Outcome:
    """How a reading ended: READ, REFUSED, or a fault, which `where` tells from others."""

    end: str
    where: str = ""

    @property
    def is_fault(self) -> bool:
        """Whether it was neither read nor refused as it should be."""
        return self.end not in (READ, REFUSED)


def judged(reader: Reader, path: Path, data: bytes) -> Outcome:
    """Let a reader read these bytes at the path that `Reader.prepare` gave."""
    path.write_bytes(data)
    try:
        reader.read(path)
    except reader.refuses as error:
        said = str(error)
        if any(words in said for words in _NO_MEMORY):
            return Outcome(f"asks for too much memory: {said}", _place(error))
        if not said or (reader.named and path.stem not in said):
            return Outcome(f"does not name the file: {said!r}", _place(error))
        return Outcome(REFUSED)
    except Exception as error:  # whatever it is, it is a fault
        return Outcome(f"{type(error).__name__}: {str(error)[:200]}", _place(error))
    return Outcome(READ)


def _place(error: Exception) -> str:
    """The innermost line of the project's own code that an error passed."""
    own = [
        f"{Path(frame.filename).relative_to(PROJECT)}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(PROJECT) and ".venv" not in frame.filename
    ]
    return own[-1]
