"""What the splits of a run were: enough to tell later whether a folder still makes the same ones.

A fingerprint holds numbers, class names and hashes; no name of a picture and no path. Names are
hashed as they are below the data set's folder, so a folder that was moved makes the same ones. No
picture is opened: one that was edited under its old name is not noticed.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from fedmvp_core.data.image_set import ImageSet
from fedmvp_core.data.readers.folders import first_few
from fedmvp_core.data.settings.setting import Setting
from fedmvp_core.run_folder import read_object

TRAIN, VALIDATION = "train", "validation"
DIGITS = 16  # of the hash of a class: it only says in which classes something differs

# images, sha256, and classes: name -> [pictures, hash], in the order of the labels.
Fingerprint: TypeAlias = Mapping[str, Any]


def fingerprints(setting: Setting) -> dict[str, Fingerprint]:
    """That of each split: "train", "validation", and what the server tests on, by its name."""
    tested = {evaluation.name: evaluation.images for evaluation in setting.evaluations}
    splits = {TRAIN: setting.train, VALIDATION: setting.validation, **tested}
    return {name: fingerprint(images) for name, images in splits.items()}


def fingerprint(images: ImageSet) -> Fingerprint:
    """Of one set of images. sha256: over the class names, and each image's name, domain, labels.

    The order of the images makes no difference, that of the classes does.
    """
    rows = sorted(zip(images.names, images.domains, _labels(images), strict=True))
    digest = hashlib.sha256()
    of_class = {name: hashlib.sha256() for name in images.class_names}
    counts = dict.fromkeys(images.class_names, 0)
    for words in (images.class_names, *((name, domain, *labels) for name, domain, labels in rows)):
        digest.update(_line(words))
    for name, domain, labels in rows:
        for label in labels:
            if label in counts:
                counts[label] += 1
                of_class[label].update(_line((name, domain)))
    classes = {
        label: [count, of_class[label].hexdigest()[:DIGITS]] for label, count in counts.items()
    }
    return {"images": len(images), "sha256": digest.hexdigest(), "classes": classes}


def _labels(images: ImageSet) -> list[tuple[str, ...]]:
    """The names of the labels of each image; of a hidden one, that it is hidden."""
    names = images.class_names
    if not images.multi_label:
        return [(names[label],) for label in images.labels.tolist()]
    found: list[list[str]] = [[] for _ in range(len(images))]
    for row, column in images.labels.nonzero().tolist():
        shown = int(images.labels[row, column]) == 1
        found[row].append(names[column] if shown else f"{names[column]}\0")
    return [tuple(labels) for labels in found]


def _line(words: Sequence[str]) -> bytes:
    """Words as bytes, each with its length, so that no two lists look alike."""
    encoded = [word.encode("utf-8", "surrogateescape") for word in words]
    return b"".join(b"%d:%b" % (len(word), word) for word in encoded) + b"\n"


def read_fingerprints(path: Path) -> dict[str, Fingerprint]:
    """What splits.json holds, or an empty mapping when the file is absent or damaged."""
    content = read_object(path)
    return content if all(map(_is_fingerprint, content.values())) else {}


def _is_fingerprint(value: Any) -> bool:
    classes = value.get("classes") if isinstance(value, dict) else None
    return (
        isinstance(classes, dict)
        and type(value.get("images")) is int
        and all(
            isinstance(told, list) and [type(part) for part in told] == [int, str]
            for told in classes.values()
        )
    )


def changes(before: Mapping[str, Any], now: Mapping[str, Fingerprint]) -> dict[str, str]:
    """Split -> a clause that says what differs, of all splits that are others.

    before: what `fingerprints` returned then, as `read_fingerprints` gave it back.
    """
    found = {}
    for split in dict.fromkeys((*before, *now)):
        if split not in now or split not in before:
            found[split] = "is new" if split in now else "is gone"
        elif before[split] != now[split]:
            found[split] = _change(before[split], now[split])
    return found


def sentence(found: Mapping[str, str]) -> str:
    """Changes in words."""
    return "; ".join(f"split '{split}' {change}" for split, change in found.items())


def _change(before: Fingerprint, now: Fingerprint) -> str:
    clauses = []
    if before["images"] != now["images"]:
        clauses.append(f"has {now['images']} pictures, had {before['images']}")
    old, new = before["classes"], now["classes"]
    for word, names in (
        ("more", [name for name in new if name not in old]),
        ("gone", [name for name in old if name not in new]),
    ):
        if names:
            classes = "class" if len(names) == 1 else "classes"
            clauses.append(f"{len(names)} {classes} {word} ({first_few(names)})")
    both = [name for name in old if name in new and old[name] != new[name]]
    counted = [f"{n} {new[n][0]}, had {old[n][0]}" for n in both if old[n][0] != new[n][0]]
    if counted:
        clauses.append(f"pictures of {first_few(counted)}")
    others = [name for name in both if old[name][0] == new[name][0]]
    if others:
        clauses.append(f"pictures with other names or labels in {first_few(others)}")
    return ", ".join(clauses) or "has its classes in another order, or other labels hidden"
