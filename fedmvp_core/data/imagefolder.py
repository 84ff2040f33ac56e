"""Anyone's own pictures: a class is a folder.

data-dir/<class>/*.jpg                     a seeded split by class: 60 / 20 / 20 %
data-dir/<domain>/<class>/*.jpg            the same, with domains
data-dir/{train,test}/<class>/*.jpg        given splits (and, if wanted, validation)
data-dir/{train,test}/<domain>/<class>/*.jpg
data-dir/attributes.json                   optional: {class: [phrases]}
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from fedmvp_core.attributes.files import read_attributes
from fedmvp_core.config import RunConfig
from fedmvp_core.data.image_set import Dataset, ImageSet
from fedmvp_core.data.pictures import SUFFIXES, load_picture
from fedmvp_core.disk import cache_directory, write_atomically
from fedmvp_core.errors import DataError
from fedmvp_core.seeding import generator

SPLITS = {"train": "train", "val": "validation", "validation": "validation", "test": "test"}
Pixels: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
SPLIT_SHARES = (0.6, 0.2)  # train, validation; the rest is test


@dataclass(frozen=True)
class _Picture:
    path: Path
    split: str  # "" when the folder gives none
    domain: str
    class_name: str


def load(config: RunConfig, image_size: int) -> Dataset:
    """Read the pictures below data-dir; decoded pixels are kept in the cache folder.

    Raises:
        DataError: the folder is missing or empty, folders are of unequal depth, a picture cannot be
            read, or a split lacks pictures.
    """
    root = Path(config.data_dir).expanduser()
    pictures = _find_pictures(root)
    by_split = _given_splits(pictures) or _seeded_splits(pictures, config.seed)
    class_names = tuple(sorted({picture.class_name for picture in pictures}))
    for name in ("train", "test"):
        if not by_split.get(name):
            raise DataError(f"no pictures for the {name} split below '{root}'")
    pixels = _decoded([p.path for p in pictures], image_size, cache_directory(config.cache_dir))
    position = {picture: i for i, picture in enumerate(pictures)}

    def image_set(name: str) -> ImageSet:
        chosen = by_split.get(name, [])
        return ImageSet(
            images=pixels[torch.tensor([position[p] for p in chosen], dtype=torch.int64)],
            labels=torch.tensor(
                [class_names.index(p.class_name) for p in chosen], dtype=torch.int64
            ),
            domains=tuple(p.domain for p in chosen),
            names=tuple(str(p.path.relative_to(root)) for p in chosen),
            class_names=class_names,
        )

    attribute_file = root / "attributes.json"
    attributes = read_attributes(attribute_file) if attribute_file.is_file() else None
    return Dataset(
        root.name, image_set("train"), image_set("validation"), image_set("test"), attributes
    )


def _find_pictures(root: Path) -> list[_Picture]:
    if not root.is_dir():
        raise DataError(f"data-dir '{root}' is not a folder")
    paths = sorted(p for p in root.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    if not paths:
        raise DataError(f"data-dir '{root}' holds no pictures ({', '.join(sorted(SUFFIXES))})")
    pictures = [_place(path, path.relative_to(root).parts[:-1]) for path in paths]
    depths = {bool(picture.domain) for picture in pictures}, {bool(p.split) for p in pictures}
    if any(len(depth) > 1 for depth in depths):
        raise DataError(
            f"the folders below '{root}' are of unequal depth; allowed: "
            "[split/][domain/]class/picture, the same for every picture"
        )
    return pictures


def _place(path: Path, folders: tuple[str, ...]) -> _Picture:
    # "train" with pictures right inside is a class: the vehicle, not the split.
    split = SPLITS.get(folders[0].lower(), "") if len(folders) > 1 else ""
    inner = folders[1:] if split else folders
    if not 1 <= len(inner) <= 2:
        raise DataError(
            f"'{path}' lies {len(inner)} folders deep; allowed: [split/][domain/]class/picture"
        )
    domain = inner[0] if len(inner) == 2 else ""
    return _Picture(path, split, domain, inner[-1].replace("_", " "))


def _given_splits(pictures: list[_Picture]) -> dict[str, list[_Picture]]:
    groups: dict[str, list[_Picture]] = defaultdict(list)
    for picture in pictures:
        if picture.split:
            groups[picture.split].append(picture)
    return dict(groups)


def _seeded_splits(pictures: list[_Picture], seed: int) -> dict[str, list[_Picture]]:
    """60 / 20 / 20 % of every class (and domain); a group of one picture goes to training."""
    groups: dict[tuple[str, str], list[_Picture]] = defaultdict(list)
    for picture in pictures:
        groups[picture.domain, picture.class_name].append(picture)
    splits: dict[str, list[_Picture]] = {"train": [], "validation": [], "test": []}
    draw = generator(seed, "imagefolder split")
    for _, group in sorted(groups.items()):
        order = torch.randperm(len(group), generator=draw).tolist()
        train = max(1, round(SPLIT_SHARES[0] * len(group)))
        validation = train + round(SPLIT_SHARES[1] * len(group))
        for rank, i in enumerate(order):
            name = "train" if rank < train else "validation" if rank < validation else "test"
            splits[name].append(group[i])
    return splits


def _decoded(paths: list[Path], image_size: int, cache: Path) -> Tensor:
    """(n, 3, size, size) uint8, decoded once, then memory-mapped from the cache folder."""
    file = cache / "pictures" / f"{_listing_hash(paths, image_size)}.npy"
    shape = (len(paths), 3, image_size, image_size)
    mapped = _mapped(file, shape)
    if mapped is not None:
        return torch.from_numpy(mapped)
    pixels = np.stack([load_picture(path, image_size).numpy() for path in paths])
    written = write_atomically(file, lambda temporary: _save(temporary, pixels))
    mapped = _mapped(file, shape) if written else None
    return torch.from_numpy(pixels if mapped is None else mapped)


def _mapped(file: Path, shape: tuple[int, ...]) -> Pixels | None:
    """The cached pixels, copied only where they are written to, or None if they cannot be used."""
    try:
        mapped = np.load(file, mmap_mode="c")
    except (OSError, ValueError, EOFError):
        return None
    return mapped if mapped.shape == shape and mapped.dtype == np.uint8 else None


def _save(path: Path, pixels: Pixels) -> None:
    with path.open("wb") as file:
        np.save(file, pixels)


def _listing_hash(paths: list[Path], image_size: int) -> str:
    """Changes when a picture is added, removed or rewritten."""
    stats: Mapping[str, tuple[int, int]] = {
        str(path.resolve()): (path.stat().st_size, path.stat().st_mtime_ns) for path in paths
    }
    return hashlib.sha256(json.dumps([image_size, stats]).encode()).hexdigest()[:32]
