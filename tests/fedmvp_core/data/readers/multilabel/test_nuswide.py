"""NUS-WIDE: backslashes in its lists, a file of zeros and ones for each concept."""

from pathlib import Path

import pytest

from fedmvp_core.data.listing import Listing
from fedmvp_core.data.readers.multilabel.nuswide import nuswide
from fedmvp_core.errors import DataError

CONCEPTS = ("airport", "animal", "beach", "nighttime")
TRAIN = {
    "actor\\0001_2124494179.jpg": "0100",
    "actor\\0002_174174086.jpg": "1011",
    "zoo\\0003_221890.jpg": "1111",
}
TEST = {"zoo\\0004_1.jpg": "0001", "zoo\\0009_2.jpg": "1110"}


def write(root: Path, labels: Path, concepts: Path) -> None:
    for folder in (labels, concepts.parent, root / "ImageList"):
        folder.mkdir(parents=True, exist_ok=True)
    concepts.write_text("\n".join(CONCEPTS) + "\n")
    for part, pictures in (("Train", TRAIN), ("Test", TEST)):
        lines = "".join(f"{file} \r\n" for file in pictures)
        (root / "ImageList" / f"{part}Imagelist.txt").write_text(lines)
        for column, concept in enumerate(CONCEPTS):
            marks = "".join(f"{row[column]}\n" for row in pictures.values())
            (labels / f"Labels_{concept}_{part}.txt").write_text(marks)
        for file in pictures:
            picture = root / "Flickr" / file.replace("\\", "/")
            picture.parent.mkdir(parents=True, exist_ok=True)
            picture.touch()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    raw = tmp_path / "raw"
    write(raw, raw / "TrainTestLabels", raw / "Concepts81.txt")
    return tmp_path


def labels_of(listing: Listing, split: str) -> dict[str, tuple[int, ...]]:
    return {f"{p.path.parent.name}/{p.path.name}": p.labels for p in listing.splits[split]}


def test_labels_and_splits(folder: Path) -> None:
    listing = nuswide(folder)
    assert listing.multi_label
    assert listing.class_names == CONCEPTS
    assert not listing.notes
    assert labels_of(listing, "train") == {
        "actor/0001_2124494179.jpg": (1,),
        "actor/0002_174174086.jpg": (0, 2, 3),
        "zoo/0003_221890.jpg": (0, 1, 2, 3),
    }
    assert labels_of(listing, "test") == {"zoo/0004_1.jpg": (3,), "zoo/0009_2.jpg": (0, 1, 2)}
    assert all(p.path.is_file() for pictures in listing.splits.values() for p in pictures)


def test_the_authors_own_folders(folder: Path, tmp_path: Path) -> None:
    root = tmp_path / "authors"
    labels = root / "Groundtruth" / "TrainTestLabels"
    write(root, labels, root / "ConceptsList" / "Concepts81.txt")
    assert labels_of(nuswide(root), "train") == labels_of(nuswide(folder), "train")


def test_pictures_with_few_labels_can_be_left_out(folder: Path) -> None:
    listing = nuswide(folder, min_labels=3)
    assert len(listing.splits["train"]) == 2
    assert len(listing.splits["test"]) == 1


def test_pictures_that_are_gone_are_left_out_and_counted(folder: Path) -> None:
    (folder / "raw" / "Flickr" / "actor" / "0001_2124494179.jpg").unlink()
    listing = nuswide(folder)
    assert "split 'train': 1 of 3 pictures are not there" in listing.notes
    # the labels of the others do not move up
    assert labels_of(listing, "train")["actor/0002_174174086.jpg"] == (0, 2, 3)
    for picture in (folder / "raw" / "Flickr" / "zoo").iterdir():
        picture.unlink()
    with pytest.raises(DataError, match="none of the 2 test pictures is in"):
        nuswide(folder)


def test_damaged_tables_are_refused(folder: Path) -> None:
    file = folder / "raw" / "TrainTestLabels" / "Labels_beach_Train.txt"
    file.write_text("0\n1\n")
    with pytest.raises(DataError, match=r"Labels_beach_Train.txt' has 2 lines for 3 pictures"):
        nuswide(folder)
    file.write_text("0\n1\n2\n")
    with pytest.raises(DataError, match=r"Labels_beach_Train.txt' holds '2'; allowed"):
        nuswide(folder)
    file.unlink()
    with pytest.raises(DataError, match=r"Labels_beach_Train.txt' cannot be read"):
        nuswide(folder)
