"""Files are whole or absent."""

import logging
import os
import stat
from pathlib import Path

import pytest

from fedmvp_core.disk import cache_directory, remove_leftovers, replace_file, write_atomically


def write_half(path: Path) -> None:
    path.write_text("half")
    raise OSError("disk full")


def test_a_file_is_written_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "inner" / "a.json"
    replace_file(path, lambda file: _write(file, "one"))
    replace_file(path, lambda file: _write(file, "two"), durable=True)
    assert path.read_text() == "two"
    assert list(path.parent.iterdir()) == [path]


def test_a_failing_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")
    with pytest.raises(OSError, match="disk full"):
        replace_file(path, write_half)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    mine = [tmp_path / ".hidden", tmp_path / "a.0123456789abcdef0123456789abcdef"]
    for path in mine:
        path.touch()

    def killed(path: Path) -> None:
        os.link(path, tmp_path / "kept")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replace_file(tmp_path / "a.json", killed, durable=True)
    (tmp_path / "kept").replace(tmp_path / f".a.json.{'0f' * 16}")
    remove_leftovers(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(mine)


def test_others_may_read_what_the_umask_lets_them(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        replace_file(tmp_path / "a", lambda file: _write(file, "one"))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


def test_a_folder_that_cannot_be_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "a.json"
    with pytest.raises(OSError, match="file"):
        replace_file(path, lambda file: _write(file, "one"))
    with caplog.at_level(logging.WARNING):
        assert not write_atomically(path, lambda file: _write(file, "one"))
    assert f"nothing is cached: '{path}' cannot be written" in caplog.text
    assert write_atomically(tmp_path / "b", lambda file: _write(file, "one"))


def test_where_the_cache_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_directory("/data/cache") == Path("/data/cache")
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_directory("") == Path("/home/someone/.cache/fedmvp")
    assert cache_directory("~/c") == Path("/home/someone/c")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_directory("") == tmp_path / "fedmvp"


def _write(path: Path, text: str) -> None:
    path.write_text(text)
