"""VOC 2007 in the layout of its two archives."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from fedmvp_core.data.readers.multilabel.voc2007 import voc2007
from fedmvp_core.errors import DataError

OBJECT = """\t<object>
\t\t<name>{name}</name>
\t\t<pose>Left</pose>
\t\t<truncated>1</truncated>
\t\t<difficult>{difficult}</difficult>
\t\t<bndbox><xmin>48</xmin><ymin>240</ymin><xmax>195</xmax><ymax>371</ymax></bndbox>
\t</object>
"""
# name -> objects, "!" before a difficult one
TRAIN = {
    "000005": ["chair", "chair", "!chair"],
    "000007": ["car"],
    "000009": ["horse", "person", "person", "!car"],
}
TEST = {"000001": ["person", "dog"], "000002": ["!train"]}


def write_devkit(devkit: Path, image_set: str, content: dict[str, list[str]]) -> None:
    for folder in ("Annotations", "ImageSets/Main", "JPEGImages"):
        (devkit / folder).mkdir(parents=True, exist_ok=True)
    (devkit / "ImageSets" / "Main" / f"{image_set}.txt").write_text("\n".join(content) + "\n")
    for name, objects in content.items():
        things = "".join(
            OBJECT.format(name=thing.lstrip("!"), difficult=int(thing[0] == "!"))
            for thing in objects
        )
        text = f"<annotation>\n\t<folder>VOC2007</folder>\n\t<filename>{name}.jpg</filename>\n"
        (devkit / "Annotations" / f"{name}.xml").write_text(f"{text}{things}</annotation>\n")
        (devkit / "JPEGImages" / f"{name}.jpg").touch()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_devkit(tmp_path / "VOCtrainval2007/VOCdevkit/VOC2007", "trainval", TRAIN)
    write_devkit(tmp_path / "VOCtest2007/VOCdevkit/VOC2007", "test", TEST)
    return tmp_path


def labels_by_name(folder: Path, split: str, **options: bool) -> dict[str, Sequence[str]]:
    listing = voc2007(folder, **options)
    return {
        picture.path.stem: [listing.class_names[label] for label in picture.labels]
        for picture in listing.splits[split]
    }


def test_labels_and_splits(folder: Path) -> None:
    listing = voc2007(folder)
    assert listing.multi_label
    assert len(listing.class_names) == 20
    assert set(listing.splits) == {"train", "test"}
    assert labels_by_name(folder, "train") == {
        "000005": ["chair"],
        "000007": ["car"],
        "000009": ["horse", "person"],
    }
    assert labels_by_name(folder, "test") == {"000001": ["dog", "person"], "000002": []}
    assert all(p.path.is_file() for pictures in listing.splits.values() for p in pictures)


def test_class_names_are_words(folder: Path) -> None:
    names = voc2007(folder).class_names
    assert {"dining table", "potted plant", "tv monitor"} <= set(names)
    assert names[0] == "aeroplane"


def test_difficult_objects_count_if_wanted(folder: Path) -> None:
    counted = labels_by_name(folder, "train", count_difficult=True)
    assert counted["000009"] == ["car", "horse", "person"]
    assert labels_by_name(folder, "test", count_difficult=True)["000002"] == ["train"]


def test_both_archives_unpacked_into_one_folder(folder: Path, tmp_path: Path) -> None:
    devkit = tmp_path / "together" / "VOCdevkit" / "VOC2007"
    write_devkit(devkit, "trainval", TRAIN)
    write_devkit(devkit, "test", TEST)
    assert labels_by_name(tmp_path / "together", "train") == labels_by_name(folder, "train")


def test_what_is_missing_is_named(folder: Path) -> None:
    devkit = folder / "VOCtest2007/VOCdevkit/VOC2007"
    (devkit / "JPEGImages" / "000002.jpg").unlink()
    with pytest.raises(DataError, match=r"test.txt' names 1 pictures that are not in .*000002.jpg"):
        voc2007(folder)
    (devkit / "JPEGImages" / "000002.jpg").touch()
    (devkit / "Annotations" / "000001.xml").unlink()
    with pytest.raises(DataError, match=r"annotation '.*000001.xml' cannot be read"):
        voc2007(folder)
    (devkit / "ImageSets" / "Main" / "test.txt").unlink()
    with pytest.raises(DataError, match=r"voc2007 needs '.*test.txt', which does not exist"):
        voc2007(folder)


def test_damaged_annotations_are_refused(folder: Path) -> None:
    file = folder / "VOCtrainval2007/VOCdevkit/VOC2007/Annotations/000005.xml"
    whole = file.read_text()
    file.write_text(whole[:60])
    with pytest.raises(DataError, match=r"000005.xml' cannot be read"):
        voc2007(folder)
    file.write_text(whole.replace("chair", "throne"))
    with pytest.raises(DataError, match=r"000005.xml' has an object 'throne'; allowed: aeroplane"):
        voc2007(folder)
