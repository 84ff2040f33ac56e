"""What is passed over and what is a picture, by name."""

from collections import Counter

import pytest

from fedmvp_core.data.readers.entries import (
    OTHER_MEDIA,
    SUFFIXES,
    has_system_part,
    is_system,
    suffix_of,
    with_readers,
)


@pytest.mark.parametrize(
    "name",
    [
        *(".ipynb_checkpoints", ".git", ".DS_Store", "._00.jpg", ".thumbnails", "~$list.xlsx"),
        *("@eaDir", "@eadir", "#recycle", "#snapshot", "@Recycle", "__MACOSX", "__pycache__"),
        *("Thumbs.db", "thumbs.DB", "desktop.ini", "$RECYCLE.BIN", "System Volume Information"),
        *("lost+found", "Icon\r", "Picasa.ini"),
    ],
)
def test_entries_of_systems(name: str) -> None:
    assert is_system(name)
    assert has_system_part(f"cat/{name}/00.jpg")
    assert has_system_part(f"cat/{name}")


@pytest.mark.parametrize(
    "name", ["cat", "00.jpg", "_cat", "#1", "@home", "recycle", "lost and found", "a.git", "~cat"]
)
def test_entries_of_people(name: str) -> None:
    assert not is_system(name)
    assert not has_system_part(f"./{name}/../{name}")


def test_no_suffix_is_both_read_and_not() -> None:
    assert not SUFFIXES & OTHER_MEDIA.keys()
    assert {".jpg", ".jfif", ".ppm"} <= SUFFIXES
    assert {".heic", ".jxl", ".cr2", ".nef", ".dng", ".svg", ".psd", ".mp4", ".mov", ".pdf"} <= (
        OTHER_MEDIA.keys()
    )
    assert suffix_of("A.B.JPG") == ".jpg"
    assert suffix_of("picture") == ""


def test_helpers_are_named_with_the_numbers() -> None:
    assert with_readers(Counter({".pdf": 1, ".heic": 3})) == (
        ".heic 3 (convert with pillow-heif), .pdf 1 (convert with pypdfium2)"
    )
