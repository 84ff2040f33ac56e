"""What the data sets of CoOp's collection share: its split file, or the split made as CoOp made it.

Zhou et al. 2022, "Learning to Prompt for Vision-Language Models" (IJCV); the layout is that of its
DATASETS.md. CoOp drew its splits unseeded, so one made here has its sizes but other pictures.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from fedmvp_core.data.listing import Listing
from fedmvp_core.data.readers.assemble import Part, make_listing
from fedmvp_core.data.readers.folders import (
    check_files,
    first_few,
    picture_names,
    require_folder,
    subfolders,
)
from fedmvp_core.data.readers.split_json import in_label_order, read_split_json
from fedmvp_core.data.readers.splits import (
    COOP_SHARES,
    COOP_TRAIN_SHARE,
    Entry,
    split_by_class,
)


def from_split_json(name: str, folder: Path, pictures: Path, file_name: str) -> Listing | None:
    """The data set as its split file in `folder` says, or None when there is no such file.

    Raises:
        DataError: the folders or pictures are missing, or the file is damaged.
    """
    require_folder(folder, name)
    file = folder / file_name
    if not file.exists():
        return None
    require_folder(pictures, name)
    names, splits = read_split_json(file, pictures)
    return make_listing(name, in_label_order(names, file), [Part(pictures, splits)])


def from_class_folders(
    name: str,
    pictures: Path,
    file_name: str,
    ignored: Sequence[str] = (),
    renamed: Mapping[str, str] | None = None,
) -> Listing:
    """pictures/<class>/*.jpg, split by `without_split`.

    Raises:
        DataError: there are no class folders, or one is empty.
    """
    require_folder(pictures, name)
    folders = subfolders(pictures, ignored)
    entries = [
        Entry(f"{class_folder}/{picture}", label)
        for label, class_folder in enumerate(folders)
        for picture in picture_names(pictures / class_folder)
    ]
    class_names = [(renamed or {}).get(class_folder, class_folder) for class_folder in folders]
    left_out = [folder for folder in ignored if (pictures / folder).is_dir()]
    notes = [f"left out, as CoOp does: {first_few(left_out)}"] if left_out else []
    return without_split(name, class_names, pictures, file_name, entries, notes)


def without_split(
    name: str,
    class_names: Sequence[str],
    pictures: Path,
    file_name: str,
    entries: Sequence[Entry],
    notes: Sequence[str] = (),
) -> Listing:
    """50 % train, 20 % validation, 30 % test of every class, as CoOp where nothing is official."""
    train, validation, test = split_by_class(entries, COOP_SHARES, name)
    splits = {"train": train, "validation": validation, "test": test}
    made = _made_here(file_name, "50 / 20 / 30 % of every class")
    return make_listing(name, class_names, [Part(pictures, splits)], [made, *notes])


def from_official_split(
    name: str,
    class_names: Sequence[str],
    pictures: Path,
    file_name: str,
    lists: Mapping[str, tuple[Path, Sequence[Entry]]],
) -> Listing:
    """The official test pictures; of every class's training pictures, 20 % are validation.

    lists: "train" and "test" -> the file that names the pictures, and what it says.

    Raises:
        DataError: pictures are missing.
    """
    require_folder(pictures, name)
    for file, entries in lists.values():
        check_files(pictures, (entry.file for entry in entries), file)
    train, validation = split_by_class(lists["train"][1], COOP_TRAIN_SHARE, name)
    splits = {"train": train, "validation": validation, "test": lists["test"][1]}
    note = _made_here(file_name, "the official test part, 80 / 20 % of the training part")
    return make_listing(name, class_names, [Part(pictures, splits)], [note])


def _made_here(file_name: str, rule: str) -> str:
    return f"no {file_name}: split by {rule}, seeded; CoOp's has other pictures"


def supply(file_name: str) -> str:
    """The end of a message about a missing official file: the split file would do as well."""
    return f"; supply it, or CoOp's {file_name}"
