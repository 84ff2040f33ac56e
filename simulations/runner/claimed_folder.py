"""The run folder as the runner sees it: claimed before a run, read during it, closed after it.

docs/run_folder.md says what each file holds. The server writes them. The runner adds two logs, and
writes how a run ended if its server could not.
"""

import fcntl
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fedmvp_core.config import RunConfig
from fedmvp_core.disk import replace_text
from fedmvp_core.errors import ConfigError
from fedmvp_core.run_folder import (
    CONFIG,
    LOGS,
    PROGRESS,
    RUNNING,
    STATUS,
    holds_run,
    read_status,
    remove_run,
    run_folder,
)

# A line between what one process wrote and what the next one writes. It is JSON, as events are.
TAKEN_UP = b'{"event": "taken-up"}'


@contextmanager
def claimed_folder(config: RunConfig) -> Iterator[Path]:
    """Make the run folder, lock it, and remove an earlier run's files.

    With `resume = "latest"` the files stay, and the server decides whether it can go on with them.

    Raises:
        ConfigError: it cannot be written, another run uses it now, or it holds a run that
            `overwrite = false` protects.
    """
    folder = run_folder(config.run)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigError(f"the run folder {folder} cannot be written: {error.strerror}") from None
    handle = os.open(folder, os.O_RDONLY)
    try:
        _lock(handle, folder)
        if config.run.resume == "latest" and (folder / CONFIG).exists():
            _take_up(folder, config.federation.rounds)
        elif holds_run(folder) and not config.run.overwrite:
            raise ConfigError(
                f"{folder} holds a run and overwrite is false; choose another run-name"
            )
        else:
            remove_run(folder)
        yield folder
    finally:
        os.close(handle)


def close_run(folder: Path, rounds: int, status: str, error: str) -> None:
    """Write how a run ended whose server could not write it."""
    _write_status(folder, rounds, status, error)
    with (folder / PROGRESS).open("a", encoding="utf-8") as stream:
        stream.write(json.dumps({"event": "end", "status": status, "error": error}) + "\n")


def _write_status(folder: Path, rounds: int, status: str, error: str | None) -> None:
    before = read_status(folder)
    after = {
        "status": status,
        "rounds": before.get("rounds", rounds),
        "rounds-completed": before.get("rounds-completed", 0),
        "error": error,
    }
    replace_text(folder / STATUS, json.dumps(after, indent=2) + "\n")


def _take_up(folder: Path, rounds: int) -> None:
    """Mark in the status and the logs that another process goes on with the run.

    Raises:
        ConfigError: the disk is full.
    """
    try:
        _write_status(folder, rounds, RUNNING, None)
        for name in (PROGRESS, *LOGS):
            with (folder / name).open("ab") as stream:
                stream.write(b"\n" + TAKEN_UP + b"\n")
    except OSError as error:
        raise ConfigError(f"the run folder {folder} cannot be written: {error.strerror}") from None


def since_taken_up(data: bytes) -> int:
    """The offset in a log, or in progress.jsonl, after the last mark of a run taken up again."""
    mark = data.rfind(TAKEN_UP + b"\n")
    return 0 if mark < 0 else mark + len(TAKEN_UP) + 1


class EventTail:
    """Reads progress.jsonl as it grows, from where the run was last taken up."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / PROGRESS
        self._offset = since_taken_up(self._path.read_bytes()) if self._path.exists() else 0

    def new_events(self) -> list[dict[str, Any]]:
        """The events of the lines completed since the last call."""
        try:
            with self._path.open("rb") as stream:
                stream.seek(self._offset)
                data = stream.read()
        except OSError:
            return []
        complete = data[: data.rfind(b"\n") + 1]
        self._offset += len(complete)
        return [json.loads(line) for line in complete.splitlines() if line.strip()]


def _lock(handle: int, folder: Path) -> None:
    """Lock the folder itself, so that no lock file is left and a killed run leaves no lock."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ConfigError(f"another run uses {folder} now; choose another run-name") from None
    except OSError:
        pass  # a file system without locks
