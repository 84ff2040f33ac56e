"""The pictures of one domain, and how they are split."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fedmvp_core.data.readers.folders import (
    check_files,
    first_few,
    picture_names,
    read_lines,
    subfolders,
)
from fedmvp_core.data.readers.split_json import add_name, label_in, read_split_json
from fedmvp_core.data.readers.splits import (
    DOMAIN_SHARES,
    DOMAINNET_TRAIN_SHARE,
    Entry,
    split_by_class,
)
from fedmvp_core.errors import DataError


@dataclass(frozen=True)
class DomainFiles:
    """names: label -> class name, also of empty folders. note: how the split came about.

    numbered: the labels are those of the domain's own files, not positions in a folder's listing.
    """

    domain: str
    folder: Path
    splits: Mapping[str, Sequence[Entry]]
    names: Mapping[int, str]
    numbered: bool
    note: str


def read_domain(
    data_set: str, domain: str, folder: Path, renamed: Mapping[str, str]
) -> DomainFiles:
    """A domain as its split file says, or its official lists, or else its class folders.

    Raises:
        DataError: the files are damaged or name what is not there, or there are no pictures.
    """
    pictures = folder / "full" if (folder / "full").is_dir() else folder
    split_files = sorted(folder.glob("split_*.json"))
    if len(split_files) > 1:
        raise DataError(
            f"'{folder}' has {len(split_files)} split files: "
            f"{first_few([file.name for file in split_files])}; allowed: one"
        )
    if split_files:
        names, splits = read_split_json(split_files[0], pictures)
        return DomainFiles(domain, pictures, splits, names, True, f"split by {split_files[0].name}")
    for place in (folder.parent, folder.parent / "splits", folder):
        lists = [place / f"{folder.name}_{split}.txt" for split in ("train", "test")]
        if all(file.is_file() for file in lists):
            return _from_lists(data_set, domain, folder, *lists)
    return _from_class_folders(data_set, domain, pictures, renamed)


def _from_lists(data_set: str, domain: str, folder: Path, train: Path, test: Path) -> DomainFiles:
    """DomainNet's lists, lines "clipart/aircraft_carrier/clipart_001_000018.jpg 0"."""
    names: dict[int, str] = {}
    training, tested = (_listed(data_set, folder, file, names) for file in (train, test))
    kept, held_out = split_by_class(training, DOMAINNET_TRAIN_SHARE, f"{data_set}/{domain}")
    splits = {"train": kept, "validation": held_out, "test": tested}
    note = "the official test part; 90 / 10 % of every class of the training part, seeded"
    return DomainFiles(domain, folder, splits, names, True, note)


def _listed(data_set: str, folder: Path, file: Path, names: dict[int, str]) -> list[Entry]:
    """What a list says; its classes go into `names`."""
    entries = []
    for line in read_lines(file, data_set):
        path, _, number = line.rpartition(" ")
        parts, label = path.split("/"), label_in(number)
        if len(parts) != 3 or parts[0] != folder.name or label is None:
            raise DataError(
                f"'{file}' has the line '{line:.80}'; allowed: '{folder.name}/class/picture label'"
            )
        add_name(names, label, parts[1], file)
        entries.append(Entry(f"{parts[1]}/{parts[2]}", label))
    check_files(folder, (entry.file for entry in entries), file)
    return entries


def _from_class_folders(
    data_set: str, domain: str, pictures: Path, renamed: Mapping[str, str]
) -> DomainFiles:
    folders = subfolders(pictures)
    entries = [
        Entry(f"{folder}/{picture}", label)
        for label, folder in enumerate(folders)
        for picture in picture_names(pictures / folder)
    ]
    if not entries:
        raise DataError(f"{data_set}: '{pictures}' holds no class folders with pictures")
    train, validation, test = split_by_class(entries, DOMAIN_SHARES, f"{data_set}/{domain}")
    splits = {"train": train, "validation": validation, "test": test}
    names = {label: renamed.get(folder, folder) for label, folder in enumerate(folders)}
    note = "70 / 10 / 20 % of every class, seeded; FedMVP's splits were never published"
    return DomainFiles(domain, pictures, splits, names, False, note)
