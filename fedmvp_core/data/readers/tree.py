"""A user's own folder of pictures, gone through once: what is read, and what is not and why.

No file is opened, and only links are looked up. Links to folders are followed; one that leads back
into itself, or to a folder that is read already, is not.
"""

import errno
import os
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from fedmvp_core.data.readers.entries import (
    OTHER_MEDIA,
    SUFFIXES,
    is_system,
    suffix_of,
    with_readers,
)
from fedmvp_core.data.readers.folders import first_few

KNOWN_FILES = ("attributes.json", "labels.csv")  # of the folder itself


@dataclass
class Tree:
    """What lies below a folder. Paths are relative to it, with forward slashes.

    pictures: in the order of their parts. system: names of hidden and system entries. media: folder
    -> suffixes of the pictures and films in it that are not read here. others: suffixes of further
    files. bare: folders with neither pictures nor folders inside. dangling, loops, closed: links
    that lead nowhere, links into themselves, folders that may not be read. again: folders that are
    reached twice, as (path, path of the first time).
    """

    root: Path
    pictures: list[str] = field(default_factory=list)
    system: Counter[str] = field(default_factory=Counter)
    media: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    others: Counter[str] = field(default_factory=Counter)
    bare: list[str] = field(default_factory=list)
    dangling: list[str] = field(default_factory=list)
    loops: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    again: list[tuple[str, str]] = field(default_factory=list)
    _reached: dict[str, str] = field(default_factory=dict)

    def notes(self) -> list[str]:
        """What is passed over as a matter of course, counted."""
        said = []
        for names, what in (
            (self.system, "hidden or system entries"),
            (self.others, "files that are no pictures"),
        ):
            if names:
                said.append(f"passed over: {names.total()} {what} ({_tally(names)})")
        return said

    def warnings(self) -> list[str]:
        """What the user may have meant to be read, counted."""
        said = []
        left_out: Counter[str] = Counter()
        for folder, suffixes in self.media.items():
            if folder not in self.bare:
                left_out += suffixes
        if left_out:
            said.append(f"{left_out.total()} files cannot be read here: {with_readers(left_out)}")
        pictures = [link for link in self.dangling if suffix_of(link) in SUFFIXES]
        if pictures:
            said.append(f"{len(pictures)} links to pictures lead nowhere: {_quoted(pictures)}")
        empty = [folder for folder in self.bare if folder not in self.media]
        if empty:
            said.append(f"{len(empty)} folders hold no picture: {_quoted(empty)}")
        return said

    def faults(self) -> list[str]:
        """What may not be passed over: classes would be lost, or pictures counted twice."""
        said = [
            f"'{folder}' holds no picture that can be read here: {with_readers(self.media[folder])}"
            for folder in self.bare
            if folder in self.media
        ]
        said += [
            f"'{link}' is a link that leads nowhere"
            for link in self.dangling
            if suffix_of(link) not in SUFFIXES | OTHER_MEDIA.keys()
        ]
        said += [f"'{link}' is a link to a folder that holds it" for link in self.loops]
        said += [
            f"'{folder}' is the folder '{first}' once more; its pictures would count twice"
            for folder, first in self.again
        ]
        return said + [f"'{folder}' may not be read by this user" for folder in self.closed]


def walk(root: Path) -> Tree:
    """Everything below `root`, which must be a folder."""
    tree = Tree(root)
    _look(tree, str(root), "", (os.path.realpath(root),))
    return tree


def _look(tree: Tree, folder: str, inside: str, chain: tuple[str, ...]) -> None:
    """inside: the folder's path below the root, with a slash at its end, or "".

    chain: the real paths of the folder, last, and of those that led to it.
    """
    first = tree._reached.setdefault(chain[-1], inside[:-1])
    if first != inside[:-1]:
        tree.again.append((inside[:-1], first))
        return
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError:
        tree.closed.append(inside[:-1])
        return
    holds = False
    for entry in entries:
        if is_system(entry.name):
            tree.system["._*" if entry.name.startswith("._") else entry.name] += 1
            continue
        path = inside + entry.name
        if entry.is_symlink() and not _leads_somewhere(tree, entry, path):
            continue
        if entry.is_dir():
            holds = True
            _follow(tree, entry, path, chain)
        elif suffix_of(entry.name) in SUFFIXES and entry.is_file():
            holds = True
            tree.pictures.append(path)
        elif suffix_of(entry.name) in OTHER_MEDIA:
            tree.media[inside[:-1]][suffix_of(entry.name)] += 1
        elif path not in KNOWN_FILES:
            tree.others[suffix_of(entry.name) or "no suffix"] += 1
    if inside and not holds:
        tree.bare.append(inside[:-1])


def _leads_somewhere(tree: Tree, link: "os.DirEntry[str]", path: str) -> bool:
    try:
        os.stat(link.path)
    except OSError as error:
        (tree.loops if error.errno == errno.ELOOP else tree.dangling).append(path)
        return False
    return True


def _follow(tree: Tree, entry: "os.DirEntry[str]", path: str, chain: tuple[str, ...]) -> None:
    if not entry.is_symlink():
        _look(tree, entry.path, f"{path}/", (*chain, os.path.join(chain[-1], entry.name)))
        return
    real = os.path.realpath(entry.path)
    below = os.path.join(real, "")
    if any(passed == real or passed.startswith(below) for passed in chain):
        tree.loops.append(path)
    else:
        _look(tree, entry.path, f"{path}/", (*chain, real))


def _tally(counts: Counter[str]) -> str:
    return first_few([f"{name} {count}" for name, count in counts.most_common()], 12)


def _quoted(paths: list[str]) -> str:
    return first_few([f"'{path}'" for path in paths])
