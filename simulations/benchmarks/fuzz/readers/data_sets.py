"""Readers of data sets' annotations: IDX, split files, tables, COCO, VOC, .mat, attributes."""

import gzip
import io
import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from scipy.io import savemat

from fedmvp_core.attributes.files import read_attributes
from fedmvp_core.data.readers.mat_files import read_mat
from fedmvp_core.data.readers.multilabel.coco2014 import coco2014
from fedmvp_core.data.readers.multilabel.csv_folder import csv_folder
from fedmvp_core.data.readers.multilabel.multiscene import multiscene
from fedmvp_core.data.readers.multilabel.nuswide import nuswide
from fedmvp_core.data.readers.multilabel.voc2007 import voc2007
from fedmvp_core.data.readers.oxford_pets import oxford_pets
from fedmvp_core.data.readers.split_json import in_label_order, read_split_json
from fedmvp_core.data.small.idx import IMAGES, LABELS, read_images, read_labels
from simulations.attributes.answer import read_phrases
from simulations.attributes.chat import AnswerError
from simulations.benchmarks.fuzz.reader import Reader

_NAMES = ("a.jpg", "b.jpg", "c.jpg")


def _idx(magic: int, *shape: int) -> bytes:
    size = 1
    for length in shape:
        size *= length
    head = b"".join(number.to_bytes(4, "big") for number in (magic, *shape))
    return head + bytes(range(size))


def _mat() -> list[bytes]:
    files = [io.BytesIO(), io.BytesIO()]
    savemat(files[0], {"labels": [[1, 2, 3]]})
    savemat(files[1], {"labels": [[1, 2, 3]]}, do_compression=True)
    return [file.getvalue() for file in files]


def _split_json() -> list[bytes]:
    rows = [[name, label, word] for name, label, word in zip(_NAMES, (0, 1, 0), "aba", strict=True)]
    content = {"train": rows[:2], "val": [], "test": rows[2:]}
    return [json.dumps(content).encode(), json.dumps(content, indent=1).encode()]


def _read_split(path: Path) -> None:
    names, _ = read_split_json(path, path.parent)
    in_label_order(names, path)


def _coco() -> list[bytes]:
    content = {
        "images": [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"}],
        "annotations": [
            {"image_id": 1, "category_id": 5, "iscrowd": 0, "segmentation": [[1, 2]]},
            {"image_id": 2, "category_id": 7, "iscrowd": 0},
        ],
        "categories": [{"id": 5, "name": "ant"}, {"id": 7, "name": "bee"}],
    }
    return [json.dumps(content).encode()]


def _pictures(*folders: str) -> Callable[[Path], None]:
    """Empty files of the pictures' names, in folders beside the folder that holds the file."""

    def write(path: Path) -> None:
        for folder in folders:
            (path.parent / folder).mkdir(parents=True, exist_ok=True)
            for name in _NAMES:
                (path.parent / folder / name).touch()

    return write


def _coco_beside(path: Path) -> None:
    _pictures("../train2014", "../val2014")(path)
    path.with_name("instances_val2014.json").write_bytes(_coco()[0])


_ANNOTATION = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<annotation><filename>a.jpg</filename>'
    b"<object><name>cat</name><difficult>0</difficult></object>"
    b"<object><name>dog</name><difficult>1</difficult></object></annotation>"
)


def _voc_beside(path: Path) -> None:
    devkit = path.parent.parent
    _pictures("JPEGImages")(devkit / "x")
    (devkit / "ImageSets" / "Main").mkdir(parents=True, exist_ok=True)
    for name in ("trainval", "test"):
        (devkit / "ImageSets" / "Main" / f"{name}.txt").write_text("a\n")


def _nuswide_beside(path: Path) -> None:
    root = path.parent.parent
    _pictures("Flickr/x")(root / "x")
    (root / "ImageList").mkdir(exist_ok=True)
    (root / "Concepts81.txt").write_text("ant\nbee\n")
    for part in ("Train", "Test"):
        lines = "".join(f"x\\{name}\n" for name in _NAMES)
        (root / "ImageList" / f"{part}Imagelist.txt").write_text(lines)
        for concept in ("ant", "bee"):
            (path.parent / f"Labels_{concept}_{part}.txt").write_text("0\n1\n1\n")


def _multiscene_beside(path: Path) -> None:
    _pictures("images")(path)
    path.with_name("Test.csv").write_text(_INDICATORS)


_INDICATORS = "image,antHill,bee\na,0,1\nb,1,1\n"
_LABELS = "file,split,labels,domain\na.jpg,train,dog;sea,x\nb.jpg,test,sea,\nc.jpg,,dog,y\n"
_PETS = "a_1 1 1 1\na_2 1 1 1\nb_1 2 1 1\nb_2 2 1 1\n"


def _pets_beside(path: Path) -> None:
    (path.parent.parent / "images").mkdir(exist_ok=True)
    for name in ("a_1", "a_2", "b_1", "b_2"):
        (path.parent.parent / "images" / f"{name}.jpg").touch()
    path.with_name("test.txt").write_text(_PETS)


def _phrases(path: Path) -> None:
    read_phrases(path.read_bytes().decode("utf-8", "replace"), 2)


def _above(levels: int, reader: Callable[[Path], object]) -> Callable[[Path], object]:
    """A reader of a data set's folder, so many levels above the file."""
    return lambda path: reader(path.parents[levels - 1])


DATA_SETS: Mapping[str, Reader] = {
    "idx-images": Reader(
        "images.idx",
        lambda: [_idx(IMAGES, 2, 3, 4), gzip.compress(_idx(IMAGES, 2, 3, 4), mtime=0)],
        read_images,
    ),
    "idx-labels": Reader(
        "labels.idx",
        lambda: [_idx(LABELS, 5), gzip.compress(_idx(LABELS, 5), mtime=0)],
        read_labels,
    ),
    "split-json": Reader("split.json", _split_json, _read_split, _pictures(".")),
    "csv-folder": Reader(
        "labels.csv",
        lambda: [
            _LABELS.encode(),
            ("sep=;\n" + '"file";split;labels\n"a.jpg";train;x\nb.jpg;test;x\n').encode(),
            _LABELS.encode("utf-16"),
        ],
        _above(1, csv_folder),
        _pictures("."),
    ),
    "indicators": Reader(
        "Tra.csv",
        lambda: [_INDICATORS.encode()],
        _above(1, multiscene),
        _multiscene_beside,
        named=False,
    ),
    "coco": Reader(
        "annotations/instances_train2014.json",
        _coco,
        _above(2, coco2014),
        _coco_beside,
        named=False,
    ),
    "voc": Reader(
        "VOCdevkit/VOC2007/Annotations/a.xml",
        lambda: [_ANNOTATION],
        _above(4, voc2007),
        _voc_beside,
    ),
    "nuswide": Reader(
        "TrainTestLabels/Labels_ant_Train.txt",
        lambda: [b"0\n1\n1\n"],
        _above(2, nuswide),
        _nuswide_beside,
        named=False,
    ),
    "pets": Reader(
        "annotations/trainval.txt",
        lambda: [_PETS.encode()],
        _above(2, oxford_pets),
        _pets_beside,
        named=False,
    ),
    "mat": Reader(
        "labels.mat", _mat, partial(read_mat, data_set="cars", needed="", variable="labels")
    ),
    "attributes": Reader(
        "attributes.json",
        lambda: [b'{"ant": ["six legs", "two eyes"], "bee": ["wings"]}'],
        read_attributes,
    ),
    "answer": Reader(
        "answer.txt",
        lambda: [b'["six legs", "two eyes"]', b'<think>x</think>\n```json\n{"a": ["b", "c"]}\n```'],
        _phrases,
        named=False,
        refuses=(AnswerError,),
    ),
}
