"""A run is kept aside until the one in its place has trained a round, wherever that ends."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from fedmvp_core.errors import ConfigError
from fedmvp_core.replaced_run import (
    aside_of,
    broken_off_of,
    check_replaceable,
    has_results,
    held_run,
    is_beside,
    is_worth_keeping,
    let_go,
    set_aside,
    settle,
    settle_broken_off,
)


def write_run(folder: Path, status: Mapping[str, Any] | None, rounds: int = 0) -> Path:
    """A folder as a run leaves it."""
    checkpoints = folder / "checkpoints"
    checkpoints.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "metrics.csv").write_text(str(status))
    if status is not None:
        (folder / "status.json").write_text(json.dumps(status))
    for number in range(rounds + 1):
        (checkpoints / f"round-{number:04d}.safetensors").write_text(str(number))
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }


@pytest.mark.parametrize(
    ("status", "rounds", "kept"),
    [
        ({"status": "completed", "rounds-completed": 3}, 3, True),
        ({"status": "completed", "rounds-completed": 0}, 0, True),  # a method that trains nothing
        ({"status": "failed", "rounds-completed": 2}, 0, True),  # its checkpoints are elsewhere
        ({"status": "interrupted", "rounds-completed": 0}, 1, True),  # it died before its status
        ({"status": "running", "rounds-completed": 0}, 0, False),
        ({"status": "failed", "rounds-completed": 0}, 0, False),
        ({"status": "failed", "rounds-completed": "x"}, 0, False),
        (None, 0, True),  # nobody knows
    ],
)
def test_what_is_worth_keeping(
    tmp_path: Path, status: dict[str, Any] | None, rounds: int, kept: bool
) -> None:
    folder = write_run(tmp_path / "demo", status, rounds)
    assert is_worth_keeping(folder) is kept
    check_replaceable(folder, overwrite=True)
    if kept:
        with pytest.raises(ConfigError, match=r"demo' holds an? .*run-name=NAME.*--overwrite.*res"):
            check_replaceable(folder, overwrite=False)
    else:
        check_replaceable(folder, overwrite=False)


def test_a_folder_that_is_no_run_is_nothing_to_keep(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    for folder in (tmp_path, tmp_path / "missing", tmp_path / "notes.txt"):
        assert not is_worth_keeping(folder)
        assert settle(folder) is None
        assert settle_broken_off(folder) == ""


COMPLETED = {"status": "completed", "rounds-completed": 3}
BEGUN = {"status": "running", "rounds-completed": 0}
TRAINED = {"status": "running", "rounds-completed": 1}


@pytest.fixture
def replaced(tmp_path: Path) -> Path:
    """runs/demo, whose completed run is set aside, with a file of the user's own."""
    folder = write_run(tmp_path / "runs" / "demo", COMPLETED, 3)
    (folder / "notes.txt").write_text("mine")
    (folder / "logs").mkdir()
    (folder / "logs" / "superlink.log").write_text("of a deployment")
    set_aside(folder)
    assert folder.is_dir()
    assert not list(folder.iterdir())
    return folder


def test_a_run_that_ends_before_a_round_gives_its_place_back(replaced: Path) -> None:
    before = content(aside_of(replaced))
    write_run(replaced / "x", BEGUN)
    (replaced / "x").rename(replaced.with_name("new"))
    replaced.rmdir()
    replaced.with_name("new").rename(replaced)
    assert settle(replaced) == broken_off_of(replaced)
    assert content(replaced) == before
    assert "rounds-completed" in (broken_off_of(replaced) / "status.json").read_text()
    assert not aside_of(replaced).exists()


def test_after_a_round_the_earlier_run_goes_and_the_users_files_stay(replaced: Path) -> None:
    (replaced / "status.json").write_text(json.dumps(TRAINED))
    (replaced / "notes.txt").write_text("newer")
    assert settle(replaced) is None
    assert set(content(replaced)) == {"status.json", "notes.txt", "notes.txt.before"}
    assert (replaced / "notes.txt.before").read_text() == "mine"
    assert not aside_of(replaced).exists()


@pytest.mark.parametrize("left", ["no folder", "an empty folder", "logs", "begun"])
def test_what_a_killed_process_left_is_settled_at_the_next_start(replaced: Path, left: str) -> None:
    before = content(aside_of(replaced))
    if left == "no folder":
        replaced.rmdir()
    elif left == "logs":
        (replaced / "app.log").write_text("x")
    elif left == "begun":
        (replaced / "status.json").write_text(json.dumps(BEGUN))
    said = settle_broken_off(replaced)
    assert "'demo' was broken off before its first round" in said
    assert ("the files of that start are in" in said) is (left in ("logs", "begun"))
    assert content(replaced) == before
    assert settle_broken_off(replaced) == ""


def test_a_process_killed_while_it_removes_the_earlier_run(replaced: Path) -> None:
    (aside_of(replaced) / "config.json").unlink()
    (replaced / "status.json").write_text(json.dumps(TRAINED))
    assert settle_broken_off(replaced) == ""
    assert not aside_of(replaced).exists()
    assert has_results(replaced)


def test_a_run_in_use_is_left_alone(replaced: Path) -> None:
    import fcntl

    handle = os.open(aside_of(replaced), os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(ConfigError, match="another run uses"):
            settle_broken_off(replaced)
    finally:
        os.close(handle)
    assert aside_of(replaced).is_dir()


def test_a_linked_folder_stays_a_link(tmp_path: Path) -> None:
    real = write_run(tmp_path / "disk" / "big", COMPLETED, 1)
    folder = tmp_path / "demo"
    folder.symlink_to(real)
    before = content(real)
    set_aside(folder)
    assert folder.is_symlink()
    assert not list(folder.iterdir())
    settle(folder)
    assert folder.is_symlink()
    assert content(folder) == before


def test_the_failed_start_of_before_makes_room(replaced: Path) -> None:
    write_run(broken_off_of(replaced), BEGUN)
    (replaced / "app.log").write_text("new")
    settle(replaced)
    assert set(content(broken_off_of(replaced))) == {"app.log"}


def test_names_and_words(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "demo", {"status": "interrupted"}, 1)
    assert held_run(folder) == "an interrupted run of 1 round"
    assert is_beside(aside_of(folder))
    assert is_beside(broken_off_of(folder))
    assert not is_beside(tmp_path / ".mine")
    assert not is_beside(tmp_path / "mine.failed")
    let_go(folder)  # nothing is aside
    assert has_results(folder)
