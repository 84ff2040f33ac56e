"""The run folder as the runner sees it: claimed before a run, read during it, closed after it.

docs/run_folder.md says what each file holds. The server writes them. The runner adds two logs, and
writes how a run ended if its server could not.
"""

import json
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from fedmvp_core.config import RunConfig
from fedmvp_core.disk import replace_text
from fedmvp_core.errors import ConfigError
from fedmvp_core.replaced_run import (
    check_replaceable,
    is_worth_keeping,
    lock,
    set_aside,
    settle,
    settle_broken_off,
    trained_rounds,
)
from fedmvp_core.run_folder import (
    COMPLETED,
    CONFIG,
    LOGS,
    PROGRESS,
    RUNNING,
    SHARDS,
    STATUS,
    read_status,
    remove_run,
    run_folder,
)

logger = logging.getLogger(__name__)

# A line between what one process wrote and what the next one writes. It is JSON, as events are.
TAKEN_UP = b'{"event": "taken-up"}'


@contextmanager
def claimed_folder(config: RunConfig, clients: int = 0) -> Iterator[Path]:
    """Make the run folder and lock it; an earlier run is set aside (`replaced_run`).

    With `resume = "latest"` the files stay, and the server goes on with them. On leaving, a run
    that has not trained a round gives its place back to the one that it was to replace.

    clients: how many there will be; 0: not known.

    Raises:
        ConfigError: the folder cannot be written, another run uses it now, it holds a run that
            nobody said may go, or, to be resumed, one of another configuration.
    """
    folder, done = run_folder(config.run), dict[str, Any]()
    with ExitStack() as locks:
        _lock(folder, locks)
        if said := settle_broken_off(folder, locked=True):
            logger.warning("%s", said)
            _lock(folder, locks)
        try:
            if config.run.resume == "latest" and (folder / CONFIG).exists():
                _check_resumable(folder, config, clients)
                done = read_status(folder)
                _take_up(folder, config.federation.rounds)
            else:
                check_replaceable(folder, config.run.overwrite)
                if is_worth_keeping(folder):
                    set_aside(folder)
                    _lock(folder, locks)
                else:
                    remove_run(folder)
            yield folder
        finally:
            settle(folder)
            if done.get("status") == COMPLETED:
                _keep_completed(folder, done)


def _lock(folder: Path, locks: ExitStack) -> None:
    """Make the folder and lock it, until `locks` is left.

    Raises:
        ConfigError: it cannot be written, or another run uses it now.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigError(f"the run folder {folder} cannot be written: {error.strerror}") from None
    handle = os.open(folder, os.O_RDONLY)
    locks.callback(os.close, handle)
    lock(handle, folder)


def _keep_completed(folder: Path, done: dict[str, Any]) -> None:
    """A completed run that was taken up, and could not be, is completed still."""
    now = read_status(folder)
    if now.get("status") != COMPLETED and trained_rounds(folder) == done.get("rounds-completed"):
        with suppress(OSError):
            replace_text(folder / STATUS, json.dumps(done, indent=1) + "\n")


def _check_resumable(folder: Path, config: RunConfig, clients: int) -> None:
    """What the server would refuse, before anything is written.

    Raises:
        ConfigError: the folder holds a run of another configuration.
        CheckpointError: what it holds is damaged.
    """
    # With torch, which `--help` does not need.
    from server_app.records.resuming import check_clients, round_to_resume

    round_to_resume(folder, config)
    if clients and not config.federation.start_clients:
        check_clients(folder / SHARDS, clients)


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
