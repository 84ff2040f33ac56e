"""Splits for data sets that come without one, the same on every machine.

A class's pictures are ranked by the hash of their names, not by a random number generator: neither
a library's version nor a file system's order changes it, and a new picture moves few of the others.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple

SPLIT_SEED = 1
# Train, validation; the rest is test.
COOP_SHARES = (0.5, 0.2)  # CoOp's, where a data set has no split of its own (Zhou et al. 2022)
DOMAIN_SHARES = (0.7, 0.1)  # this project's, for the domain sets: FedMVP's were never published
# Of an official training part; the rest is validation.
COOP_TRAIN_SHARE = (0.8,)
DOMAINNET_TRAIN_SHARE = (0.9,)


_SPLIT_WORDS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev", "development"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}
_ENDINGS = ("", "set", "data", "split", "images", "imgs", "pictures", "samples")
_WORDS_OF_SPLITS = frozenset(_SPLIT_WORDS) | {
    *("eval", "evaluation", "holdout", "heldout", "pred", "unlabeled", "unlabelled"),
}


@cache
def split_named(name: str) -> str:
    """The split that a folder, key or cell of this name means, in any case; "" for none.

    "Training", "test-set" and "valid" are such names; "dev" is a validation split.
    """
    word = "".join(filter(str.isalnum, name.casefold()))
    stems = (word.removesuffix(ending) for ending in _ENDINGS if word.endswith(ending))
    return next((_SPLIT_WORDS[stem] for stem in stems if stem in _SPLIT_WORDS), "")


def speaks_of_split(name: str) -> bool:
    """Whether one of the words in a name is that of a split: "seg_train", "train2017", "eval"."""
    return not _WORDS_OF_SPLITS.isdisjoint(re.findall(r"[^\W\d_]+", name.casefold()))


class Entry(NamedTuple):
    """A picture that a folder or an annotation file names, and the position of its class.

    file: with forward slashes, relative to the folder of the pictures.
    """

    file: str
    label: int


def seeded_split(
    files: Iterable[str], shares: Sequence[float], purpose: str, seed: int = SPLIT_SEED
) -> list[list[str]]:
    """Deal out the pictures of one class into len(shares) + 1 groups, each sorted.

    Group i gets round(shares[i] * n) pictures (half to even, as CoOp), the last one the rest. The
    first has at least one, so that a class of one picture can be trained on.
    """
    ranked = sorted(files, key=lambda file: (_rank(f"{seed}/{purpose}/{file}"), file))
    groups, start = [], 0
    for i, share in enumerate(shares):
        size = max(round(share * len(ranked)), int(i == 0))
        groups.append(sorted(ranked[start : start + size]))
        start += size
    return [*groups, sorted(ranked[start:])]


def split_by_class(
    entries: Iterable[Entry], shares: Sequence[float], purpose: str, seed: int = SPLIT_SEED
) -> list[list[Entry]]:
    """`seeded_split` of every class by itself; classes in label order."""
    files: dict[int, list[str]] = defaultdict(list)
    for entry in entries:
        files[entry.label].append(entry.file)
    groups: list[list[Entry]] = [[] for _ in range(len(shares) + 1)]
    for label, of_class in sorted(files.items()):
        for group, dealt in zip(groups, seeded_split(of_class, shares, purpose, seed), strict=True):
            group += [Entry(file, label) for file in dealt]
    return groups


def _rank(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
