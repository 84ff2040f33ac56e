"""One class, one spelling: names that look alike are refused, or merged if the user says so.

CLIP's tokenizer reads no capitals and hardly a separator, so two spellings of a class would be two
classes that no model can tell apart.
"""

import dataclasses
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from fedmvp_core.attributes.phrases import name_key
from fedmvp_core.data.listing import Listing, Picture
from fedmvp_core.data.readers.assemble import clean_name
from fedmvp_core.data.readers.folders import first_few

_BETWEEN_DIGITS = re.compile(r"(?<=\d)[\s_-]+(?=\d)")


def spelling_key(name: str) -> str:
    """The same for spellings that differ in case, separators or Unicode normal form alone.

    A separator between digits counts: "1-11" and "11-1" are two names.
    """
    return name_key(_BETWEEN_DIGITS.sub("\0", unicodedata.normalize("NFC", name)))


def names_of(written: Iterable[str]) -> dict[str, str]:
    """As it is written -> the class name: cleaned up, unless another's would be the same then."""
    spellings = sorted(set(written))
    cleaned = Counter(map(clean_name, spellings))
    return {name: name if cleaned[clean_name(name)] > 1 else clean_name(name) for name in spellings}


def settled(listing: Listing, merge: bool) -> Listing:
    """The listing with one spelling a class and domain, or with a fault that names the others.

    merge: pictures of all spellings go to the most frequent one.
    """
    if listing.complete:
        return listing
    domains = {p.domain for pictures in listing.splits.values() for p in pictures}
    alike = {"class": _alike(listing.class_names), "domain": _alike(sorted(domains))}
    if not any(alike.values()):
        return listing
    alike = {kind: _by_frequency(groups, listing, kind) for kind, groups in alike.items()}
    said = [_told(kind, groups) for kind, groups in alike.items() if groups]
    if not merge:
        return dataclasses.replace(listing, faults=(*listing.faults, *(map(_refusal, said))))
    merged = _merged(listing, alike["class"], alike["domain"])
    return dataclasses.replace(merged, notes=(*merged.notes, *(f"merged: {it}" for it in said)))


def _alike(names: Iterable[str]) -> list[list[str]]:
    """Groups of spellings of one name."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in names:
        groups[spelling_key(name)].append(name)
    return [group for group in groups.values() if len(group) > 1]


def _by_frequency(groups: list[list[str]], listing: Listing, kind: str) -> list[list[str]]:
    """The spelling of the most pictures first."""
    counts: Counter[str] = Counter()
    for pictures in listing.splits.values():
        for picture in pictures:
            names = [picture.domain]
            if kind == "class":
                names = [listing.class_names[label] for label in picture.labels]
            counts.update(names)
    return [sorted(group, key=lambda name: (-counts[name], name)) for group in groups]


def _told(kind: str, groups: Sequence[Sequence[str]]) -> str:
    """ "1 class is spelled in several ways: 'ant' and 'Ant'"."""
    spellings = first_few([" and ".join(_shown(group)) for group in groups], 5)
    named = {"class": "classes are", "domain": "domains are"}[kind]
    named = f"{kind} is" if len(groups) == 1 else named
    return f"{len(groups)} {named} spelled in several ways: {spellings}"


def _refusal(told: str) -> str:
    return f"{told}; rename all but one, or merge them: merge-spellings=true"


def _shown(group: Sequence[str]) -> list[str]:
    """In quotes; escaped where the eye cannot tell them apart."""
    looks = {unicodedata.normalize("NFC", " ".join(name.split())) for name in group}
    return [repr(name) if len(looks) == len(group) else ascii(name) for name in group]


def _merged(
    listing: Listing, classes: Sequence[Sequence[str]], domains: Sequence[Sequence[str]]
) -> Listing:
    kept = {name: clean_name(group[0]) for group in classes for name in group}
    domain_of = {name: group[0] for group in domains for name in group}
    new_names = list(dict.fromkeys(kept.get(name, name) for name in listing.class_names))
    if list(listing.class_names) == sorted(listing.class_names):
        new_names.sort()
    position = {name: label for label, name in enumerate(new_names)}
    label_of = [position[kept.get(name, name)] for name in listing.class_names]
    splits = {
        split: [
            Picture(
                picture.path,
                tuple(sorted({label_of[label] for label in picture.labels})),
                domain_of.get(picture.domain, picture.domain),
            )
            for picture in pictures
        ]
        for split, pictures in listing.splits.items()
    }
    return dataclasses.replace(listing, class_names=tuple(new_names), splits=splits)
