"""What lies in a folder."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import data_trees
import pytest

from fedmvp_core.data.readers import folders
from fedmvp_core.data.readers.folders import (
    check_files,
    first_few,
    picture_names,
    read_lines,
    require_folder,
    subfolders,
)
from fedmvp_core.errors import DataError


def test_subfolders_and_pictures_leave_the_rest_out(tmp_path: Path) -> None:
    data_trees.write_classes(tmp_path, {"b": 2, "a": 1, ".hidden": 1, "left": 1})
    (tmp_path / "README.txt").write_text("")
    data_trees.write_pictures(tmp_path / "a", ["Z.JPEG", ".x.jpg", "y.png", "list.txt", "z.mat"])
    assert subfolders(tmp_path, ignored=["left"]) == ["a", "b"]
    assert picture_names(tmp_path / "a") == ["Z.JPEG", "image_0001.jpg", "y.png"]
    assert picture_names(tmp_path / "absent") == []


def test_linked_folders_count(tmp_path: Path) -> None:
    """CoOp's instructions link data that lie elsewhere."""
    data_trees.write_classes(tmp_path / "elsewhere", {"a": 1})
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "a").symlink_to(tmp_path / "elsewhere" / "a")
    assert subfolders(tmp_path / "here") == ["a"]
    check_files(tmp_path / "here", ["a/image_0001.jpg"], tmp_path)


def test_files_are_checked_by_listing_each_folder_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data_trees.write_classes(tmp_path, {"a": 30, "b": 30})
    listed: list[str] = []

    def counting(path: Any) -> Iterator[str] | list[str]:
        listed.append(os.fspath(path))
        return os.listdir(path)

    class CountingOs:
        listdir = staticmethod(counting)
        path = os.path

        def __getattr__(self, name: str) -> Any:
            raise AssertionError(f"os.{name} was asked")

    monkeypatch.setattr(folders, "os", CountingOs())
    check_files(tmp_path, [f"{c}/image_{i:04d}.jpg" for i in range(1, 31) for c in "ab"], tmp_path)
    assert sorted(listed) == [str(tmp_path / "a"), str(tmp_path / "b")]


def test_files_right_inside_and_in_absent_folders(tmp_path: Path) -> None:
    data_trees.write_pictures(tmp_path, ["here.jpg"])
    check_files(tmp_path, ["here.jpg"], tmp_path / "list")
    with pytest.raises(DataError, match=r"names 2 pictures .*: gone.jpg, absent/x.jpg$"):
        check_files(tmp_path, ["here.jpg", "gone.jpg", "absent/x.jpg"], tmp_path / "list")
    with pytest.raises(DataError, match=r"here.jpg/x.jpg"):
        check_files(tmp_path, ["here.jpg/x.jpg"], tmp_path / "list")


def test_a_missing_folder_and_a_file_in_its_place(tmp_path: Path) -> None:
    assert require_folder(tmp_path, "dtd") == tmp_path
    (tmp_path / "file").write_text("")
    for wrong in ("absent", "file"):
        with pytest.raises(DataError, match=f"dtd: '.*{wrong}' is not a folder"):
            require_folder(tmp_path / wrong, "dtd")


def test_lines(tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    file.write_bytes("\ufeffone é\r\n\r\n two \n".encode())
    assert read_lines(file, "dtd") == ["one é", "two"]
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"dtd: '.*list.txt' cannot be read as text"):
        read_lines(file, "dtd")
    with pytest.raises(DataError, match=r"dtd needs '.*absent', which does not exist; or that"):
        read_lines(tmp_path / "absent", "dtd", "; or that")


def test_first_few() -> None:
    assert first_few(["a"]) == "a"
    assert first_few(["a", "b", "c"]) == "a, b, c"
    assert first_few(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"
