"""UCF101, middle frames: ucf101/{UCF-101-midframes,ucfTrainTestlist,split_zhou_UCF101.json}."""

import re
from collections.abc import Mapping
from pathlib import Path

from fedmvp_core.data.listing import Listing
from fedmvp_core.data.readers.coop import from_official_split, from_split_json, supply
from fedmvp_core.data.readers.folders import read_lines
from fedmvp_core.data.readers.split_json import label_in
from fedmvp_core.data.readers.splits import Entry
from fedmvp_core.errors import DataError

SPLIT = "split_zhou_UCF101.json"


def ucf101(folder: Path) -> Listing:
    """101 actions (Soomro et al. 2012), one frame a video, the middle one.

    Without the split file: the first of the official lists, whose videos "ApplyEyeMakeup/v_...avi"
    are frames "Apply_Eye_Makeup/v_...jpg" in CoOp's archive.
    """
    pictures = folder / "UCF-101-midframes"
    listing = from_split_json("ucf101", folder, pictures, SPLIT)
    if listing:
        return listing
    official = folder / "ucfTrainTestlist"
    labels = _labels(official / "classInd.txt")
    lists = {}
    for split, file_name in (("train", "trainlist01.txt"), ("test", "testlist01.txt")):
        file = official / file_name
        lists[split] = file, _entries(file, labels)
    class_names = [words(action) for action in labels]
    return from_official_split("ucf101", class_names, pictures, SPLIT, lists)


def words(action: str) -> str:
    """ "ApplyEyeMakeup" -> "Apply_Eye_Makeup"."""
    return "_".join(re.findall("[A-Z][^A-Z]*", action))


def _labels(file: Path) -> dict[str, int]:
    """Actions in the order of classInd.txt, lines "1 ApplyEyeMakeup"."""
    actions: dict[int, str] = {}
    for line in read_lines(file, "ucf101", supply(SPLIT)):
        number, _, action = line.partition(" ")
        written = label_in(number)
        if written is None or not words(action):
            raise DataError(f"'{file}' has the line '{line:.80}'; allowed: 'number ActionName'")
        actions[written] = action
    if sorted(actions) != list(range(1, len(actions) + 1)):
        raise DataError(f"'{file}' numbers {len(actions)} actions; allowed: from 1, without gaps")
    return {actions[number]: number - 1 for number in sorted(actions)}


def _entries(file: Path, labels: Mapping[str, int]) -> list[Entry]:
    """Lines "Action/v_Action_g01_c01.avi", in the training list with the number behind."""
    entries = []
    for line in read_lines(file, "ucf101", supply(SPLIT)):
        action, _, video = line.split()[0].partition("/")
        if action not in labels:
            raise DataError(f"'{file}' names '{line}'; allowed: actions of classInd.txt")
        frame = f"{words(action)}/{Path(video).stem}.jpg"
        entries.append(Entry(frame, labels[action]))
    return entries
