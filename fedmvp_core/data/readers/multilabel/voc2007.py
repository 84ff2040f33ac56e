"""PASCAL VOC 2007 (Everingham et al., IJCV 2010): 20 classes, 5,011 and 4,952 pictures.

VOC2007/VOCtrainval2007/VOCdevkit/VOC2007/{Annotations,ImageSets/Main/trainval.txt,JPEGImages}
VOC2007/VOCtest2007/VOCdevkit/VOC2007/{Annotations,ImageSets/Main/test.txt,JPEGImages}
or both unpacked into one VOC2007/VOCdevkit/VOC2007.

Training is trainval, as in the multi-label papers. An object that the annotators marked `difficult`
does not count: a class of which a picture has difficult objects alone is not among its labels, in
training as in test. (The challenge left such pairs out of its test; OpenFedML counts them as absent
too.)
"""

from pathlib import Path
from xml.etree import ElementTree

from fedmvp_core.data.listing import Listing, Picture
from fedmvp_core.data.readers.folders import check_files, first_there, read_lines
from fedmvp_core.data.readers.multilabel.tables import make_multi_label_listing
from fedmvp_core.errors import DataError

CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train",
    "tvmonitor",
)  # fmt: skip
READABLE = {
    "diningtable": "dining table",
    "pottedplant": "potted plant",
    "tvmonitor": "tv monitor",
}
PARTS = {"train": ("VOCtrainval2007", "trainval"), "test": ("VOCtest2007", "test")}


def voc2007(folder: Path, count_difficult: bool = False) -> Listing:
    """count_difficult: difficult objects are labels like any other."""
    splits = {
        split: _pictures(_devkit(folder, archive), image_set, count_difficult)
        for split, (archive, image_set) in PARTS.items()
    }
    return make_multi_label_listing(
        "voc2007", [READABLE.get(name, name) for name in CLASSES], splits
    )


def _devkit(folder: Path, archive: str) -> Path:
    inside = Path("VOCdevkit") / "VOC2007"
    return first_there([folder / archive / inside, folder / inside])


def _pictures(devkit: Path, image_set: str, count_difficult: bool) -> list[Picture]:
    names_file = devkit / "ImageSets" / "Main" / f"{image_set}.txt"
    names = read_lines(names_file, "voc2007")
    check_files(devkit / "JPEGImages", (f"{name}.jpg" for name in names), names_file)
    return [
        Picture(
            devkit / "JPEGImages" / f"{name}.jpg",
            _labels(devkit / "Annotations" / f"{name}.xml", count_difficult),
        )
        for name in names
    ]


def _labels(file: Path, count_difficult: bool) -> tuple[int, ...]:
    try:
        annotation = ElementTree.parse(file).getroot()
    # ValueError and LookupError: of an encoding that it names and there is not.
    except (OSError, ElementTree.ParseError, ValueError, LookupError) as error:
        raise DataError(f"annotation '{file}' cannot be read: {error}") from error
    labels = set()
    for thing in annotation.iter("object"):
        name = (thing.findtext("name") or "").strip()
        if name not in CLASSES:
            raise DataError(f"'{file}' has an object '{name}'; allowed: {', '.join(CLASSES)}")
        difficult = (thing.findtext("difficult") or "0").strip() == "1"
        if count_difficult or not difficult:
            labels.add(CLASSES.index(name))
    return tuple(sorted(labels))
