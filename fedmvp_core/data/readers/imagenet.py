"""ImageNet and its test sets, whose folders are WordNet ids that classnames.txt puts into words.

imagenet/{images/{train,val}/<wnid>,classnames.txt}, or imagenet/{train,val}/<wnid>
imagenetv2/{imagenetv2-matched-frequency-format-val/<0 ... 999>,classnames.txt}
imagenet-sketch/{images/<wnid>,classnames.txt}
imagenet-adversarial/{imagenet-a/<wnid>,classnames.txt}
imagenet-rendition/{imagenet-r/<wnid>,classnames.txt}

classnames.txt is CoOp's, lines "n01440764 tench" in label order; labels are positions among those
of its classes that have pictures (200 in ImageNet-A and -R). Files beside the class folders, such
as README.txt, are ignored.
"""

from collections.abc import Mapping
from pathlib import Path

from fedmvp_core.data.listing import Listing
from fedmvp_core.data.readers.assemble import Part, make_listing
from fedmvp_core.data.readers.folders import (
    first_few,
    first_there,
    picture_names,
    read_lines,
    require_folder,
    subfolders,
)
from fedmvp_core.data.readers.splits import Entry
from fedmvp_core.errors import DataError

# CoOp's list, which is CLIP's, says "missile" and "sunglasses" twice, so that one of each two
# classes could never be told from the other. These get ImageNet's own word instead.
MENDED = {"n04008634": ("missile", "projectile"), "n04355933": ("sunglasses", "sunglass")}


def imagenet(folder: Path) -> Listing:
    """1,000 classes (Deng et al. 2009). The published validation pictures are the test split.

    There is no other validation split: to choose knobs, hold training pictures out.
    """
    require_folder(folder, "imagenet")
    pictures = folder / "images" if (folder / "images").is_dir() else folder
    return _listing("imagenet", folder, pictures, {"train": "train", "test": "val"})


def imagenetv2(folder: Path) -> Listing:
    """10,000 new test pictures (Recht et al. 2019); a folder is the label's number."""
    pictures = folder / "imagenetv2-matched-frequency-format-val"
    return _listing("imagenetv2", folder, pictures, {"test": ""}, numbered=True)


def imagenet_sketch(folder: Path) -> Listing:
    """Sketches of the 1,000 classes (Wang et al. 2019)."""
    pictures = first_there([folder / "images", folder / "sketch"])
    return _listing("imagenet_sketch", folder, pictures, {"test": ""})


def imagenet_a(folder: Path) -> Listing:
    """Natural adversarial pictures of 200 classes (Hendrycks et al. 2021)."""
    return _listing("imagenet_a", folder, folder / "imagenet-a", {"test": ""})


def imagenet_r(folder: Path) -> Listing:
    """Renditions of 200 classes (Hendrycks et al. 2021)."""
    return _listing("imagenet_r", folder, folder / "imagenet-r", {"test": ""})


def _listing(
    name: str, folder: Path, pictures: Path, splits: Mapping[str, str], numbered: bool = False
) -> Listing:
    """splits: split -> its folder below `pictures`. numbered: class folders are label numbers."""
    require_folder(pictures, name)
    classes, notes = read_class_names(folder / "classnames.txt", name)
    keys = [str(number) for number in range(len(classes))] if numbered else list(classes)
    found = {
        split: _class_pictures(require_folder(pictures / sub, name), keys, name)
        for split, sub in splits.items()
    }
    present = [key for key in keys if any(of_split.get(key) for of_split in found.values())]
    labels = {key: label for label, key in enumerate(present)}
    entries = {
        split: [
            Entry("/".join(filter(None, (splits[split], key, picture))), labels[key])
            for key in present
            for picture in of_split.get(key, ())
        ]
        for split, of_split in found.items()
    }
    words = dict(zip(keys, classes.values(), strict=True))
    if len(present) < len(keys):
        notes.append(f"{len(present)} of the {len(keys)} classes in classnames.txt have pictures")
    return make_listing(name, [words[key] for key in present], [Part(pictures, entries)], notes)


def _class_pictures(folder: Path, keys: list[str], name: str) -> dict[str, list[str]]:
    folders = subfolders(folder)
    if not folders:
        raise DataError(f"{name}: '{folder}' holds no class folders; sort its pictures into them")
    unknown = sorted(set(folders) - set(keys))
    if unknown:
        raise DataError(
            f"{name}: '{folder}' has {len(unknown)} folders that classnames.txt does not know: "
            f"{first_few(unknown)}"
        )
    return {class_folder: picture_names(folder / class_folder) for class_folder in folders}


def read_class_names(file: Path, name: str) -> tuple[dict[str, str], list[str]]:
    """WordNet id -> class name, in the file's order, and notes on what was mended.

    Raises:
        DataError: the file is missing, or a line is not "n01440764 tench".
    """
    needed = "; supply CoOp's classnames.txt, lines 'n01440764 tench' in label order"
    names: dict[str, str] = {}
    for line in read_lines(file, name, needed):
        wnid, _, words = line.partition(" ")
        if not words.strip() or wnid in names:
            raise DataError(
                f"'{file}' has the line '{line}'; allowed: 'n01440764 tench', each id once"
            )
        names[wnid] = words.strip()
    notes = []
    for wnid, (doubled, own_word) in MENDED.items():
        if names.get(wnid) == doubled and list(names.values()).count(doubled) > 1:
            names[wnid] = own_word
            notes.append(f"classnames.txt has '{doubled}' twice; {wnid} is called '{own_word}'")
    return names, notes
