"""A walk over a user's folder: links, loops, and what is not read."""

import os
from pathlib import Path

import pytest
from small_pictures import write_folder, write_picture
from untidy_trees import write_bytes

from fedmvp_core.data.readers.tree import walk


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "pictures", ("ant", "bee"), 2)


def test_pictures_come_in_the_order_of_their_parts(root: Path) -> None:
    write_picture(root / "ant b" / "00.png", 1)
    write_picture(root / "ant" / "0.JPEG", 1)
    tree = walk(root)
    assert [root / path for path in tree.pictures] == sorted(p for p in root.rglob("*.*"))
    assert tree.pictures[:2] == ["ant/0.JPEG", "ant/00.png"]
    assert (tree.notes(), tree.warnings(), tree.faults()) == ([], [], [])


def test_linked_class_folders_and_pictures_are_followed(root: Path, tmp_path: Path) -> None:
    write_folder(tmp_path / "disk", ("cow",), 2)
    (root / "cow").symlink_to(tmp_path / "disk" / "cow")
    (root / "ant" / "linked.png").symlink_to(tmp_path / "disk" / "cow" / "00.png")
    tree = walk(root)
    assert tree.pictures[-2:] == ["cow/00.png", "cow/01.png"]
    assert "ant/linked.png" in tree.pictures
    assert tree.faults() == []


def test_the_folder_itself_may_be_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(root)
    assert walk(tmp_path / "link").pictures == walk(root).pictures


@pytest.mark.parametrize("target", ["..", ".", "../..", "/"])
def test_links_to_what_holds_them_are_named(root: Path, target: str) -> None:
    (root / "ant" / "round").symlink_to(target)
    tree = walk(root)
    assert len(tree.pictures) == 4
    assert tree.faults() == ["'ant/round' is a link to a folder that holds it"]


def test_a_loop_over_two_links_is_named(root: Path, tmp_path: Path) -> None:
    write_folder(tmp_path / "disk", ("cow",), 1)
    (root / "more").symlink_to(tmp_path / "disk")
    (tmp_path / "disk" / "back").symlink_to(root)
    assert walk(root).faults() == ["'more/back' is a link to a folder that holds it"]
    (root / "self").symlink_to("self")
    assert "'self' is a link to a folder that holds it" in walk(root).faults()


@pytest.mark.parametrize("link", ["aardvark", "zebra"])  # before and after the folder itself
def test_a_folder_reached_twice_is_named(root: Path, link: str) -> None:
    (root / link).symlink_to("bee")
    first, again = sorted(["bee", link])
    tree = walk(root)
    assert len(tree.pictures) == 4
    assert tree.faults() == [
        f"'{again}' is the folder '{first}' once more; its pictures would count twice"
    ]


def test_links_that_lead_nowhere(root: Path) -> None:
    (root / "cow").symlink_to("unplugged")
    (root / "ant" / "gone.jpg").symlink_to("unplugged.jpg")
    tree = walk(root)
    assert tree.faults() == ["'cow' is a link that leads nowhere"]
    assert tree.warnings() == ["1 links to pictures lead nowhere: 'ant/gone.jpg'"]


def test_a_class_that_loses_all_its_files(root: Path) -> None:
    write_bytes(root / "cow", ("1.HEIC", "2.MOV", "notes.txt"))
    assert walk(root).faults() == [
        "'cow' holds no picture that can be read here: .heic 1 (convert with pillow-heif), "
        ".mov 1 (convert with ffmpeg, frame by frame)"
    ]


def test_files_left_out_beside_pictures_are_counted(root: Path) -> None:
    write_bytes(root / "bee", ("1.heic", "2.heic", "a.cr2"))
    write_bytes(root, ("manual.pdf", "attributes.json", "README"))
    tree = walk(root)
    assert tree.faults() == []
    assert tree.warnings() == [
        "4 files cannot be read here: .heic 2 (convert with pillow-heif), "
        ".cr2 1 (convert with rawpy), .pdf 1 (convert with pypdfium2)"
    ]
    assert tree.notes() == ["passed over: 1 files that are no pictures (no suffix 1)"]


def test_folders_without_pictures_are_named(root: Path) -> None:
    (root / "cow").mkdir()
    write_bytes(root / "labels", ("1.xml", "2.xml"))
    tree = walk(root)
    assert tree.warnings() == ["2 folders hold no picture: 'cow', 'labels'"]
    assert tree.notes() == ["passed over: 2 files that are no pictures (.xml 2)"]


def test_what_is_no_file_is_no_picture(root: Path) -> None:
    os.mkfifo(root / "ant" / "pipe.png")
    (root / "folder.jpg").mkdir()
    tree = walk(root)
    assert len(tree.pictures) == 4
    assert tree.warnings() == ["1 folders hold no picture: 'folder.jpg'"]
    assert tree.notes() == ["passed over: 1 files that are no pictures (.png 1)"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_folders_that_may_not_be_read_are_named(root: Path) -> None:
    (root / "bee").chmod(0)
    try:
        assert walk(root).faults() == ["'bee' may not be read by this user"]
    finally:
        (root / "bee").chmod(0o755)
