"""Files that cannot be read are found, and remembered until they change."""

from pathlib import Path

import pytest
from PIL import Image
from small_pictures import write_picture

from fedmvp_core.data.pixels import check as pixels_check
from fedmvp_core.data.pixels.check import known_unreadable, unreadable


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    """Readable: 0, 2, 4, 5, 6 (palette, CMYK, 16 bits). Not: a cut one, words, a missing one."""
    found = [tmp_path / name for name in ("0.jpg", "cut.jpg", "2.png", "words.jpg")]
    for number, path in enumerate(found[:3]):
        write_picture(path, number, (40, 30))
    found[1].write_bytes(found[1].read_bytes()[:-100])
    found[3].write_text("no picture")
    for mode, name in (("P", "4.gif"), ("CMYK", "5.jpg"), ("I;16", "6.png")):
        Image.new(mode, (9, 7)).save(tmp_path / name)
        found.append(tmp_path / name)
    return [*found, tmp_path / "gone.jpg"]


def test_each_bad_file_is_named(paths: list[Path]) -> None:
    faults = unreadable(paths)
    assert list(faults) == [1, 3, 7]
    assert "cut.jpg' cannot be read as a picture" in faults[1]
    assert "truncated" in faults[1]
    assert "words.jpg' cannot be read as a picture" in faults[3]
    assert "gone.jpg' does not exist" in faults[7]


def test_the_answer_is_remembered_until_a_file_changes(
    paths: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "cache"
    first = known_unreadable(paths, folder)
    assert first == unreadable(paths)
    with monkeypatch.context() as patched:
        patched.setattr(pixels_check, "upright", lambda *_: pytest.fail("decoded"))
        assert known_unreadable(paths, folder) == first
    write_picture(paths[3], 0)
    assert list(known_unreadable(paths, folder)) == [1, 7]
    for file in folder.iterdir():
        file.write_text("{")
    assert list(known_unreadable(paths, folder)) == [1, 7]
