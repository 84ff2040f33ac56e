"""The run folder as the runner sees it: claimed before a run, read during it, closed after it.

docs/run_folder.md says what each file holds; the server writes them. The runner adds the two logs,
and the end of a run whose server could not write it.
"""

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fedmvp_core.config import RunConfig
from fedmvp_core.disk import remove_leftovers, replace_text
from fedmvp_core.errors import ConfigError

STATUS = "status.json"
PROGRESS = "progress.jsonl"
SUPERLINK_LOG = "superlink.log"
APP_LOG = "app.log"
ENDED = ("completed", "failed", "interrupted")
# A line between what one process wrote and what the next one does; JSON, since events are.
TAKEN_UP = b'{"event": "taken-up"}'
_SIGNS_OF_A_RUN = ("config.json", STATUS, "metrics.csv")
_FILES = (
    *_SIGNS_OF_A_RUN,
    *("environment.json", PROGRESS, "shards.json", "classes.csv", "steps.csv", "report.html"),
    *(SUPERLINK_LOG, APP_LOG),
)


def run_folder(config: RunConfig) -> Path:
    """Where a run of this configuration leaves its files."""
    return Path(config.run.output_dir) / config.run.run_name


def holds_run(folder: Path) -> bool:
    """Whether a run has begun to write here."""
    return any((folder / name).exists() for name in _SIGNS_OF_A_RUN)


@contextmanager
def claimed_folder(config: RunConfig) -> Iterator[Path]:
    """The run folder: made, writable, ours alone, and without an earlier run's files.

    With `resume = "latest"` they stay, and the server says whether it can go on with them.

    Raises:
        ConfigError: it cannot be written, another run uses it now, or it holds a run that
            `overwrite = false` protects.
    """
    folder = run_folder(config)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigError(f"the run folder {folder} cannot be written: {error.strerror}") from None
    handle = os.open(folder, os.O_RDONLY)
    try:
        _lock(handle, folder)
        if config.run.resume == "latest" and (folder / "config.json").exists():
            _take_up(folder, config.federation.rounds)
        elif holds_run(folder) and not config.run.overwrite:
            raise ConfigError(
                f"{folder} holds a run and overwrite is false; choose another run-name"
            )
        else:
            _remove_run(folder)
        yield folder
    finally:
        os.close(handle)


def read_status(folder: Path) -> dict[str, Any]:
    """status.json, or an empty mapping while there is none."""
    try:
        return dict(json.loads((folder / STATUS).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def close_run(folder: Path, rounds: int, status: str, error: str) -> None:
    """Write the end of a run whose server did not live to write it."""
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
    """Tell what is written from now on from what the run left when it ended before.

    Raises:
        ConfigError: the disk is full.
    """
    try:
        _write_status(folder, rounds, "running", None)
        for name in (PROGRESS, SUPERLINK_LOG, APP_LOG):
            with (folder / name).open("ab") as stream:
                stream.write(b"\n" + TAKEN_UP + b"\n")
    except OSError as error:
        raise ConfigError(f"the run folder {folder} cannot be written: {error.strerror}") from None


def since_taken_up(data: bytes) -> int:
    """Where in a log, or in progress.jsonl, the words of the run as it goes on now begin."""
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


def _remove_run(folder: Path) -> None:
    """Remove what a run writes, and nothing else that a user may have put there."""
    for name in _FILES:
        (folder / name).unlink(missing_ok=True)
    for name in ("checkpoints", "attacks"):
        shutil.rmtree(folder / name, ignore_errors=True)
    remove_leftovers(folder)
