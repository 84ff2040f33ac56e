"""What the folders above a picture mean, in a user's own folder: [split/][domain/]class/picture."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from fedmvp_core.data.readers.folders import first_few
from fedmvp_core.data.readers.splits import speaks_of_split, split_named

ALLOWED = "[split/][domain/]class/picture"


class Placed(NamedTuple):
    """A picture and what its folders say; "" where they say nothing.

    path: relative to the data set's folder. depth: folders between the split's and the picture, of
    which one or two are allowed. split_folder: the split as the folder is called.
    """

    path: str
    depth: int
    split: str
    split_folder: str
    domain: str
    class_folder: str


def placed(path: str) -> Placed:
    """path: of a picture, relative to the data set's folder, with forward slashes."""
    *folders, _ = path.split("/")
    # "train" with pictures right inside is a class: the vehicle, not the split.
    split = split_named(folders[0]) if len(folders) > 1 else ""
    inner = folders[1:] if split else folders
    domain = inner[0] if len(inner) == 2 else ""
    split_folder = folders[0] if split else ""
    return Placed(path, len(inner), split, split_folder, domain, inner[-1] if inner else "")


def layout_faults(root: Path, places: Sequence[Placed]) -> list[str]:
    """Why the folders below `root` cannot be told to be splits, domains and classes."""
    misplaced = [place for place in places if not 1 <= place.depth <= 2]
    if misplaced:
        return _misplaced(root, misplaced)
    shapes: dict[str, list[str]] = defaultdict(list)
    for place in places:
        domain = "domain/" if place.domain else ""
        shapes[f"{'split/' if place.split else ''}{domain}class/picture"].append(place.path)
    if len(shapes) > 1:
        found = [f"{len(of)} lie as {shape} ('{of[0]}')" for shape, of in sorted(shapes.items())]
        return [
            f"the folders below '{root}' are of unequal depth; allowed: {ALLOWED}, the same for "
            f"every picture; {' and '.join(found)}"
        ]
    classes = sorted({place.class_folder for place in places})
    of_splits = [name for name in classes if split_named(name)]
    if len({split_named(name) for name in of_splits}) > 1:
        return [
            f"the pictures below '{root}' lie right inside folders named as splits "
            f"({first_few(of_splits)}), which would be classes; allowed: {ALLOWED}"
        ]
    return []


def _misplaced(root: Path, misplaced: Sequence[Placed]) -> list[str]:
    """A sentence for each depth that is not allowed, and where the layout seems to begin."""
    by_depth: dict[int, list[Placed]] = defaultdict(list)
    for place in misplaced:
        by_depth[place.depth].append(place)
    said = []
    for depth, of_depth in sorted(by_depth.items()):
        first, *_ = of_depth
        more = f", and {len(of_depth) - 1} more pictures do" if len(of_depth) > 1 else ""
        outer, *inner = first.path.split("/")
        hint = ""
        if any(split_named(name) for name in inner[:-1]):
            hint = f"; is data-dir meant to be '{root / outer}'?"
        said.append(
            f"'{root / first.path}' lies {depth} folders deep{more}; allowed: {ALLOWED}{hint}"
        )
    return said


def layout_notes(places: Sequence[Placed]) -> tuple[list[str], list[str]]:
    """What folders are taken for, as notes; and as warnings, those that a user may mean otherwise.

    places: all of allowed depth.
    """
    folders: dict[str, list[str]] = defaultdict(list)
    for split, folder in sorted({(place.split, place.split_folder) for place in places}):
        if split:
            folders[split].append(f"'{folder}'")
    domains = sorted({place.domain for place in places} - {""})
    notes, warnings = [], []
    if folders:
        taken = [f"{' and '.join(names)} for {split}" for split, names in folders.items()]
        notes.append(f"folders taken for splits: {', '.join(taken)}")
    if domains:
        notes.append(f"folders taken for domains: {first_few(domains, 12)}")
    doubtful = [f"'{domain}'" for domain in domains if speaks_of_split(domain)]
    if doubtful:
        warnings.append(
            f"taken for domains, and trained on as such: {first_few(doubtful)}; folders of splits "
            "are called train, validation (val, valid, dev) and test"
        )
    return notes, warnings
