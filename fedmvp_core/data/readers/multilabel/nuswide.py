"""NUS-WIDE (Chua et al., CIVR 2009): 81 concepts, 161,789 and 107,859 pictures from Flickr.

NUSWIDE/raw/Flickr/<search word>/<number>_<id>.jpg
NUSWIDE/raw/Concepts81.txt
NUSWIDE/raw/ImageList/{Train,Test}Imagelist.txt                         actor\\0001_2124494179.jpg
NUSWIDE/raw/TrainTestLabels/Labels_<concept>_{Train,Test}.txt           a line a picture: 0 or 1
(the authors' archives: ConceptsList/Concepts81.txt, Groundtruth/TrainTestLabels, without raw/)

Many of the pictures are gone from Flickr: those that are not there are left out and counted.
OpenFedML's protocol takes only pictures with five labels or more: `min_labels`.
"""

import os
from pathlib import Path

import numpy as np

from fedmvp_core.data.listing import Listing, Picture
from fedmvp_core.data.readers.folders import first_there, read_lines
from fedmvp_core.data.readers.multilabel.tables import make_multi_label_listing
from fedmvp_core.errors import DataError

PARTS = {"train": "Train", "test": "Test"}
ZERO, ONE = ord("0"), ord("1")


def nuswide(folder: Path, min_labels: int = 0) -> Listing:
    """min_labels: pictures with fewer are left out, of both splits."""
    root = first_there([folder / "raw", folder])
    concepts_file = first_there([root / "Concepts81.txt", root / "ConceptsList" / "Concepts81.txt"])
    concepts = read_lines(concepts_file, "nuswide")
    splits, notes = {}, []
    for split, part in PARTS.items():
        files = read_lines(root / "ImageList" / f"{part}Imagelist.txt", "nuswide")
        files = [file.replace("\\", "/") for file in files]
        there = _there(root / "Flickr", files)
        if not any(there):
            raise DataError(f"nuswide: none of the {len(files)} {split} pictures is in '{root}'")
        if not all(there):
            gone = len(there) - sum(there)
            notes.append(f"split '{split}': {gone} of {len(files)} pictures are not there")
        labels = _labels(root, concepts, part, len(files))
        splits[split] = [
            Picture(root / "Flickr" / file, tuple(np.flatnonzero(row).tolist()))
            for file, row, is_there in zip(files, labels, there, strict=True)
            if is_there
        ]
    return make_multi_label_listing("nuswide", concepts, splits, min_labels, notes)


def _there(pictures: Path, files: list[str]) -> list[bool]:
    """Whether each file exists; every folder is listed once."""
    held: dict[str, set[str]] = {}
    found = []
    for file in files:
        parent, _, name = file.rpartition("/")
        if parent not in held:
            inside = pictures / parent
            held[parent] = set(os.listdir(inside)) if inside.is_dir() else set()
        found.append(name in held[parent])
    return found


def _labels(
    root: Path, concepts: list[str], part: str, pictures: int
) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """(pictures, concepts) bool."""
    folder = first_there([root / "TrainTestLabels", root / "Groundtruth" / "TrainTestLabels"])
    columns = [_column(folder / f"Labels_{concept}_{part}.txt", pictures) for concept in concepts]
    return np.stack(columns, axis=1)


def _column(file: Path, pictures: int) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    try:
        content = np.frombuffer(file.read_bytes(), dtype=np.uint8)
    except OSError as error:
        raise DataError(f"nuswide: '{file}' cannot be read: {error}") from error
    marks = content[content > ord(" ")]
    strange = marks[(marks != ZERO) & (marks != ONE)]
    if len(strange):
        raise DataError(f"'{file}' holds '{chr(strange[0])}'; allowed: a line a picture, 0 or 1")
    if len(marks) != pictures:
        raise DataError(f"'{file}' has {len(marks)} lines for {pictures} pictures")
    return marks == ONE
