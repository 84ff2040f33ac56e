"""A run that takes the place of an earlier one of its name.

The earlier folder is renamed and kept aside until the new run has trained a round. Then it is
removed; a run that ends before has its place taken back. Each step is one rename, so whatever is
broken off in between is found and settled at the next start.
"""

import fcntl
import os
import shutil
from contextlib import suppress
from pathlib import Path

from fedmvp_core.errors import ConfigError
from fedmvp_core.run_folder import (
    CHECKPOINTS,
    COMPLETED,
    CONFIG,
    DEPLOYMENT_LOGS,
    read_status,
    remove_run,
)

_ASIDE, _BROKEN_OFF = ".before", ".failed"


def aside_of(folder: Path) -> Path:
    """Where the run that a folder held before is kept meanwhile."""
    return _beside(folder, _ASIDE)


def broken_off_of(folder: Path) -> Path:
    """Where the files of the last start go that ended before its first round."""
    return _beside(folder, _BROKEN_OFF)


def is_beside(folder: Path) -> bool:
    """Whether a folder is one of the two, and no run of a user's."""
    return folder.name.startswith(".") and folder.name.endswith((_ASIDE, _BROKEN_OFF))


def _beside(folder: Path, suffix: str) -> Path:
    real = folder.resolve()  # of a link, the folder itself is renamed
    return real.with_name(f".{real.name}{suffix}")


def trained_rounds(folder: Path) -> int:
    """How many rounds of the run in a folder are done, as its status or its checkpoints tell."""
    told = read_status(folder).get("rounds-completed", 0)
    words = [path.stem.removeprefix("round-") for path in _checkpoints(folder)]
    kept = [int(word) for word in words if word.isascii() and word.isdigit()]
    return max([told if isinstance(told, int) else 0, *kept])


def _checkpoints(folder: Path) -> list[Path]:
    return [*(folder / CHECKPOINTS).glob("round-*.safetensors")]


def has_results(folder: Path) -> bool:
    """Whether a run has come to something: it completed, or has trained a round."""
    return read_status(folder).get("status") == COMPLETED or trained_rounds(folder) > 0


def is_worth_keeping(folder: Path) -> bool:
    """Whether a folder holds a run that nobody would want to lose unasked.

    One without a status is unknown, and kept.
    """
    return has_results(folder) or (not read_status(folder) and (folder / CONFIG).exists())


def held_run(folder: Path) -> str:
    """What a folder holds, in words: "a completed run of 20 rounds"."""
    status, rounds = str(read_status(folder).get("status", "unfinished")), trained_rounds(folder)
    article = "an" if status[0] in "aeiou" else "a"
    return f"{article} {status} run of {rounds} {'round' if rounds == 1 else 'rounds'}"


def check_replaceable(folder: Path, overwrite: bool) -> None:
    """Refuse to begin a run where another stands.

    Raises:
        ConfigError: the folder holds a run worth keeping, and nobody said that it may go.
    """
    if is_worth_keeping(folder) and not overwrite:
        raise ConfigError(
            f"'{folder}' holds {held_run(folder)}; choose another run-name=NAME, replace it with "
            "--overwrite (overwrite=true), or go on with it (resume=latest)"
        )


def set_aside(folder: Path) -> None:
    """Rename a run's folder, and make a new one of its name.

    Raises:
        ConfigError: the folder, or the one that holds it, cannot be written.
    """
    real, aside = folder.resolve(), aside_of(folder)
    try:
        real.rename(aside)
    except OSError as error:
        raise ConfigError(
            f"'{folder}' holds {held_run(folder)}, which cannot be set aside: {error.strerror}; "
            "choose another run-name"
        ) from None
    try:
        real.mkdir()
    except OSError as error:
        aside.rename(real)
        raise ConfigError(f"the run folder {folder} cannot be made: {error.strerror}") from None


def settle(folder: Path) -> Path | None:
    """Decide between a run and the one that it was to replace, if that is still kept aside.

    Returns: where the files of the new run are, if the earlier one is back in its place.

    Raises:
        ConfigError: another process uses one of the two, or they cannot be renamed.
    """
    if not aside_of(folder).is_dir():
        return None
    if has_results(folder):
        let_go(folder)
        return None
    try:
        return _put_back(folder)
    except OSError as error:
        raise ConfigError(
            f"the run that '{aside_of(folder)}' keeps cannot be put back: {error.strerror}"
        ) from None


def settle_broken_off(folder: Path, locked: bool = False) -> str:
    """Settle what a process left that was ended; returns what to say of it, or "".

    locked: this process has locked the folder already.

    Raises:
        ConfigError: see settle.
    """
    if not aside_of(folder).is_dir():
        return ""
    for place in ([] if locked else [folder]) + [aside_of(folder)]:
        _refuse_used(place, folder)
    failed = settle(folder)
    if failed is None:
        return ""
    files = f"; the files of that start are in '{failed}'" if failed.exists() else ""
    return (
        f"an earlier start of '{folder.name}' was broken off before its first round: '{folder}' "
        f"holds the run again that it was to replace{files}"
    )


def _refuse_used(place: Path, folder: Path) -> None:
    """Raises ConfigError when a process has locked a folder."""
    if not place.is_dir():
        return
    handle = os.open(place, os.O_RDONLY)
    try:
        lock(handle, folder)
    finally:
        os.close(handle)


def lock(handle: int, folder: Path) -> None:
    """Lock the folder itself, so that no lock file is left and a killed run leaves no lock.

    Raises:
        ConfigError: another process has.
    """
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ConfigError(f"another run uses {folder} now; choose another run-name") from None
    except OSError:
        pass  # a file system without locks


def let_go(folder: Path) -> None:
    """Remove the earlier run; what a user has put beside its files goes into the new folder."""
    aside = aside_of(folder)
    if not aside.is_dir():
        return
    with suppress(OSError):  # what cannot be removed now is, at the next start
        remove_run(aside)
        shutil.rmtree(aside / DEPLOYMENT_LOGS, ignore_errors=True)
        _move(aside, folder)
        aside.rmdir()


def _move(source: Path, target: Path) -> None:
    """Move what a folder holds into another, under a longer name where that has it already."""
    for path in source.iterdir():
        other = target / path.name
        if path.is_dir() and other.is_dir():
            _move(path, other)
            path.rmdir()
            continue
        while other.exists():
            other = other.with_name(other.name + _ASIDE)
        path.rename(other)


def _put_back(folder: Path) -> Path:
    """Two renames; between them there is no folder, and the next start does the second."""
    real, failed = folder.resolve(), broken_off_of(folder)
    shutil.rmtree(failed, ignore_errors=True)
    if real.is_dir() and any(real.iterdir()):
        real.rename(failed)
    elif real.is_dir():
        real.rmdir()
    aside_of(folder).rename(real)
    return failed
