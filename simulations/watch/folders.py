"""Which files the page may show: those of run folders that lie below the output folder."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from fedmvp_core.run_folder import (
    ATTACKS,
    CLASSES,
    CONFIG,
    ENVIRONMENT,
    METRICS,
    PICTURES,
    PROGRESS,
    REPORT,
    SHARDS,
    STATUS,
)
from simulations.runner.results import run_folders

PICTURE_FOLDERS = (PICTURES, ATTACKS)
_LISTED = (CONFIG, STATUS, PROGRESS, METRICS)
_SHOWN = (*_LISTED, ENVIRONMENT, SHARDS, CLASSES, REPORT)


def is_inside(path: Path, folder: Path) -> bool:
    """Whether a path, links followed, is below a folder."""
    return path.resolve().is_relative_to(folder.resolve())


def watched_folders(output_dir: Path) -> dict[str, Path]:
    """Run folders by name; one that is a link to another place is none."""
    return {path.name: path for path in run_folders(output_dir) if is_inside(path, output_dir)}


def linked_away(output_dir: Path) -> list[str]:
    """Names of run folders that are left out, since they lie in another place."""
    return [path.name for path in run_folders(output_dir) if not is_inside(path, output_dir)]


def pictures_of(folder: Path) -> dict[str, Path]:
    """The run's PNG files, by FOLDER/FILE, the newest first."""
    found = [
        path
        for name in PICTURE_FOLDERS
        for path in (folder / name).glob("*.png")
        if path.is_file() and is_inside(path, folder)
    ]
    found.sort(key=lambda path: (-path.stat().st_mtime, path.name))
    return {f"{path.parent.name}/{path.name}": path for path in found}


def stamp_of_list(folders: Iterable[Path]) -> str:
    """Another text as soon as a run comes, goes or writes."""
    return _stamp(folder / name for folder in folders for name in _LISTED)


def stamp_of_run(folder: Path) -> str:
    """Another text as soon as the run has written anything that its page shows."""
    return _stamp([*(folder / name for name in _SHOWN), *pictures_of(folder).values()])


def _stamp(paths: Iterable[Path]) -> str:
    told = hashlib.sha256()
    for path in paths:
        try:
            state = path.stat()
        except OSError:
            told.update(f"{path} -".encode(errors="surrogateescape"))
        else:
            words = f"{path} {state.st_mtime_ns} {state.st_size} {state.st_ino}"
            told.update(words.encode(errors="surrogateescape"))
    return told.hexdigest()[:20]
