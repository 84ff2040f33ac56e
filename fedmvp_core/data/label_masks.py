"""What is hidden from multi-label training: single labels (partial labels), or whole classes.

labels: (n, classes) of 1, 0 and -1, which is unknown.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from fedmvp_core.errors import ConfigError, DataError
from fedmvp_core.seeding import generator
from fedmvp_core.user_files import read_json

SEEN_SHARE = 0.75  # of the default split; COCO's published one has 48 of 65 classes, 74 %


@dataclass(frozen=True)
class LabelSplit:
    """Classes that training may name, and those that only evaluation does.

    Zero-shot evaluation (ZSL) ranks the unseen ones alone, generalised zero-shot (GZSL) all of
    `seen` + `unseen`. A class of the data set that is in neither takes no part.
    """

    seen: tuple[str, ...]
    unseen: tuple[str, ...]


def mask_labels(labels: Tensor, rate: float, seed: int) -> Tensor:
    """A copy in which every label, there or not, is unknown with probability `rate`.

    The draw depends on seed and shape alone, and what a rate hides a higher rate hides too. (This
    is DualCoOp's protocol. OpenFedML's mask turns hidden positives into false negatives instead.)

    Raises:
        ConfigError: rate is not at least 0 and below 1.
    """
    if not 0 <= rate < 1:
        raise ConfigError(f"the share of labels to hide is {rate}; allowed: 0 or more, below 1")
    chance = torch.rand(labels.shape, generator=generator(seed, "label mask"), dtype=torch.float64)
    return labels.masked_fill(chance < rate, -1)


def default_label_split(class_names: Sequence[str], seed: int) -> LabelSplit:
    """A seeded 75 % of the classes, rounded to the nearest, are seen; at least one is not.

    Raises:
        DataError: fewer than two classes.
    """
    n = len(class_names)
    if n < 2:
        raise DataError(f"{n} classes cannot be split into seen and unseen ones; needed: 2 or more")
    count = min(max(1, math.floor(SEEN_SHARE * n + 0.5)), n - 1)
    chosen = set(torch.randperm(n, generator=generator(seed, "seen labels"))[:count].tolist())
    return LabelSplit(
        seen=tuple(name for i, name in enumerate(class_names) if i in chosen),
        unseen=tuple(name for i, name in enumerate(class_names) if i not in chosen),
    )


def read_label_split(path: Path, class_names: Sequence[str]) -> LabelSplit:
    """Read {"seen": [names], "unseen": [names]}; both in the data set's order of classes.

    Raises:
        DataError: the file is missing, no JSON or not of that form; a name is unknown, given twice,
            or in both lists; a list is empty.
    """
    try:
        content = read_json(path)
    except (OSError, ValueError) as error:
        raise DataError(f"label split '{path}' cannot be read: {error}") from error
    if not isinstance(content, dict) or set(content) != {"seen", "unseen"}:
        raise DataError(f"label split '{path}' must be {{'seen': [names], 'unseen': [names]}}")
    seen, unseen = (_names(path, key, content[key], class_names) for key in ("seen", "unseen"))
    if seen & unseen:
        raise DataError(f"label split '{path}' has both seen and unseen: {_listed(seen & unseen)}")
    return LabelSplit(
        seen=tuple(name for name in class_names if name in seen),
        unseen=tuple(name for name in class_names if name in unseen),
    )


def _names(path: Path, key: str, given: object, class_names: Sequence[str]) -> set[str]:
    if not isinstance(given, list) or not given or not all(isinstance(n, str) for n in given):
        raise DataError(f"'{key}' in label split '{path}' is no list of class names: {given!r}")
    unknown = set(given) - set(class_names)
    if unknown:
        raise DataError(
            f"'{key}' in label split '{path}' names classes that the data set does not have: "
            f"{_listed(unknown)}; it has: {', '.join(class_names)}"
        )
    twice = {name for name in given if given.count(name) > 1}
    if twice:
        raise DataError(f"'{key}' in label split '{path}' repeats: {_listed(twice)}")
    return set(given)


def label_columns(class_names: Sequence[str], wanted: Sequence[str]) -> Tensor:
    """Positions of `wanted` in `class_names`, (k,) int64.

    Raises:
        DataError: a wanted name is not there.
    """
    unknown = set(wanted) - set(class_names)
    if unknown:
        raise DataError(f"no such classes: {_listed(unknown)}; known: {', '.join(class_names)}")
    return torch.tensor([list(class_names).index(name) for name in wanted], dtype=torch.int64)


def rows_for_training(labels: Tensor, class_names: Sequence[str], split: LabelSplit) -> Tensor:
    """(n,) bool: images with a seen label and without any unseen one.

    So nothing unseen is ever shown in training, not even beside something seen.
    """
    seen = (labels[:, label_columns(class_names, split.seen)] == 1).any(dim=1)
    unseen = (labels[:, label_columns(class_names, split.unseen)] == 1).any(dim=1)
    return seen & ~unseen


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names))
