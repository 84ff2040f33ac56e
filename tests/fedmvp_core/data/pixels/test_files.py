"""Files are decoded when their pixels are read, once, whatever else happens to them."""

import logging
import os
import resource
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from small_pictures import write_picture

from fedmvp_core.data.image_set import ImageSet
from fedmvp_core.data.pixels import files as pixels
from fedmvp_core.data.pixels.files import PictureFiles, read_pixels, take_rows
from fedmvp_core.data.pixels.pictures import load_picture
from fedmvp_core.errors import DataError

SIZE = 8


@pytest.fixture
def paths(tmp_path: Path) -> tuple[Path, ...]:
    """Six pictures, JPEG and PNG, wide and high."""
    found = []
    for i in range(6):
        path = tmp_path / "pictures" / f"{i}{('.jpg', '.png')[i % 2]}"
        write_picture(path, i, (10 + i, 20 - i))
        found.append(path)
    return tuple(found)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def cached(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def alone(paths: tuple[Path, ...]) -> torch.Tensor:
    return torch.stack([load_picture(path, SIZE) for path in paths])


def images_of(files: PictureFiles) -> ImageSet:
    """Classes a, b, a, b, ... and domains x, x, x, y, y, y."""
    n = len(files.paths)
    labels = torch.arange(n) % 2
    return ImageSet(files, labels, ("x",) * 3 + ("y",) * 3, ("",) * n, ("a", "b"))


@pytest.mark.parametrize("kept", [True, False])
def test_pixels_are_those_of_each_picture_in_order(
    paths: tuple[Path, ...], folder: Path, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    monkeypatch.setattr(pixels, "AT_ONCE", 4)
    files = PictureFiles(paths, SIZE, folder if kept else None)
    read = files.read()
    assert read.dtype == torch.uint8
    assert torch.equal(read, alone(paths))
    assert len(cached(folder)) == kept
    assert files.read() is read


def test_cutting_a_set_opens_no_file(tmp_path: Path, folder: Path) -> None:
    gone = tuple(tmp_path / f"{i}.jpg" for i in range(6))
    images = images_of(PictureFiles(gone, SIZE, folder))
    cut = images.of_domains(["y"]).of_classes(["b"]).select(torch.tensor([1, 0]))
    assert cut.labels.tolist() == [0, 0]
    assert cut.with_labels(torch.tensor([1, 0]), ("c", "d")).class_counts() == {"c": 1, "d": 1}
    with pytest.raises(DataError, match=r"picture '.*5\.jpg' does not exist"):
        _ = cut.images
    assert cached(folder) == []


def test_a_piece_decodes_its_own_pictures_alone(paths: tuple[Path, ...], folder: Path) -> None:
    for path in paths[::2]:
        path.write_text("no picture")
    piece = images_of(PictureFiles(paths, SIZE, folder)).of_classes(["b"])
    assert torch.equal(piece.images, alone(paths[1::2]))


def test_a_piece_of_what_was_read_is_not_decoded_again(
    paths: tuple[Path, ...], folder: Path
) -> None:
    images = images_of(PictureFiles(paths, SIZE, folder))
    expected = images.images.clone()
    for path in paths:
        path.unlink()
    piece = images.of_domains(["y"]).select(torch.tensor([2, 0]))
    assert torch.equal(piece.images, expected[[5, 3]])
    assert len(cached(folder)) == 1


def test_neighbours_are_a_view() -> None:
    rows = torch.arange(24).view(6, 4)
    for indices in ([2, 3, 4], [0], [5]):
        taken = take_rows(rows, torch.tensor(indices))
        assert torch.equal(taken, rows[indices])
        assert taken.untyped_storage().data_ptr() == rows.untyped_storage().data_ptr()
    for indices in ([4, 3], [0, 2], [1, 1], []):
        chosen = torch.tensor(indices, dtype=torch.int64)
        assert torch.equal(take_rows(rows, chosen), rows[chosen])


def test_no_pictures(folder: Path) -> None:
    assert PictureFiles((), SIZE, folder).read().shape == (0, 3, SIZE, SIZE)
    assert cached(folder) == []


# --- the cache


def test_another_process_reads_the_cached_file(
    paths: tuple[Path, ...], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = read_pixels(paths, SIZE, folder)
    monkeypatch.setattr(pixels, "load_picture", lambda path, size: pytest.fail("decoded"))
    assert torch.equal(read_pixels(paths, SIZE, folder), first)


@pytest.mark.parametrize("change", ["size", "rewritten", "touched", "order", "fewer"])
def test_a_change_is_decoded_anew(paths: tuple[Path, ...], folder: Path, change: str) -> None:
    read_pixels(paths, SIZE, folder)
    size = SIZE
    if change == "size":
        size = 6
    elif change == "rewritten":
        write_picture(paths[1], 99, (12, 12))
    elif change == "touched":
        os.utime(paths[1], ns=(1, 1))
    else:
        paths = paths[::-1] if change == "order" else paths[1:]
    expected = torch.stack([load_picture(path, size) for path in paths])
    assert torch.equal(read_pixels(paths, size, folder), expected)
    assert len(cached(folder)) == 2


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY", None])
def test_a_damaged_file_is_made_anew(
    paths: tuple[Path, ...], folder: Path, damage: bytes | None
) -> None:
    read_pixels(paths, SIZE, folder)
    (name,) = cached(folder)
    file = folder / name
    file.write_bytes(file.read_bytes()[:200] if damage is None else damage)
    for _ in range(2):
        assert torch.equal(read_pixels(paths, SIZE, folder), alone(paths))


def test_writing_to_pixels_leaves_the_cache_alone(paths: tuple[Path, ...], folder: Path) -> None:
    read_pixels(paths, SIZE, folder).zero_()
    read_pixels(paths, SIZE, folder).zero_()
    assert read_pixels(paths, SIZE, folder).any()


def test_a_bad_picture_leaves_nothing_behind(paths: tuple[Path, ...], folder: Path) -> None:
    paths[4].write_bytes(paths[4].read_bytes()[:-40])
    with pytest.raises(DataError, match=r"4\.jpg' cannot be read as a picture: .*truncated"):
        read_pixels(paths, SIZE, folder)
    assert cached(folder) == []


def test_many_at_once_write_one_file(paths: tuple[Path, ...], folder: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: read_pixels(paths, SIZE, folder), range(8)))
    assert all(torch.equal(one, alone(paths)) for one in found)
    assert len(cached(folder)) == 1


def test_a_folder_that_cannot_be_written_is_one_warning(
    paths: tuple[Path, ...], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    for chosen in (paths, paths[1:]):
        assert torch.equal(read_pixels(chosen, SIZE, tmp_path / "file" / "cache"), alone(chosen))
    assert caplog.text.count("nothing is cached") == 1


def test_a_disk_that_fills_up_leaves_nothing_half_written(
    paths: tuple[Path, ...], folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder.mkdir()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, before[1]))  # room for the first pictures
    try:
        read = read_pixels(paths, SIZE, folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert torch.equal(read, alone(paths))
    assert cached(folder) == []
    told = [record.levelno for record in caplog.records if record.levelno > logging.INFO]
    assert told == [logging.WARNING]
