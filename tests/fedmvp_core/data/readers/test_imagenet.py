"""ImageNet and its test sets."""

import shutil
from pathlib import Path

import data_trees
import pytest
from listings import base_and_new, class_counts, counts, files

from fedmvp_core.data.readers.imagenet import (
    imagenet,
    imagenet_a,
    imagenet_r,
    imagenet_sketch,
    imagenetv2,
)
from fedmvp_core.errors import DataError


def test_validation_pictures_are_the_test_split(tmp_path: Path) -> None:
    data_trees.imagenet(tmp_path)
    listing = imagenet(tmp_path)
    assert base_and_new(listing) == (("tench", "goldfish"), ("great white shark", "sunglasses"))
    assert counts(listing) == {"train": 12, "test": 8}
    assert class_counts(listing, "test") == dict.fromkeys(listing.class_names, 2)
    assert files(listing, "test")[0] == "n01440764/ILSVRC2012_val_00000001.JPEG"
    assert {p.path.parent.name: p.labels for p in listing.splits["train"]} == {
        wnid: (label,) for label, wnid in enumerate(data_trees.WNIDS)
    }


def test_train_and_val_may_lie_right_inside(tmp_path: Path) -> None:
    data_trees.imagenet(tmp_path)
    before = imagenet(tmp_path)
    for part in ("train", "val"):
        shutil.move(tmp_path / "images" / part, tmp_path / part)
    (tmp_path / "images").rmdir()
    after = imagenet(tmp_path)
    assert (after.class_names, counts(after)) == (before.class_names, counts(before))
    assert after.splits["test"][0].path.parent.parent == tmp_path / "val"


def test_label_order_is_that_of_classnames(tmp_path: Path) -> None:
    data_trees.imagenet(tmp_path)
    turned = dict(reversed(data_trees.WNIDS.items()))
    data_trees.write_class_names(tmp_path, turned)
    listing = imagenet(tmp_path)
    assert listing.class_names == tuple(turned.values())
    assert class_counts(listing, "train") == dict.fromkeys(turned.values(), 3)


def test_an_empty_class_folder_is_noted_while_the_class_has_pictures(tmp_path: Path) -> None:
    data_trees.imagenet(tmp_path)
    for picture in (tmp_path / "images" / "val" / "n01443537").iterdir():
        picture.unlink()
    listing = imagenet(tmp_path)
    assert counts(listing) == {"train": 12, "test": 6}
    assert listing.notes == ("split 'test' has no picture of goldfish",)


def test_a_part_of_the_classes_is_noted(tmp_path: Path) -> None:
    """991 folders instead of 1,000 shift no label, and are not passed over in silence."""
    data_trees.imagenet(tmp_path)
    for part in ("train", "val"):
        shutil.rmtree(tmp_path / "images" / part / "n01443537")
    listing = imagenet(tmp_path)
    assert listing.class_names == ("tench", "great white shark", "sunglasses")
    assert class_counts(listing, "test") == dict.fromkeys(listing.class_names, 2)
    assert listing.notes == ("3 of the 4 classes in classnames.txt have pictures",)


def test_unsorted_and_unknown_folders_are_refused(tmp_path: Path) -> None:
    data_trees.imagenet(tmp_path)
    (tmp_path / "images" / "train" / "n99999999").mkdir()
    with pytest.raises(DataError, match=r"1 folders that classnames.txt does not know: n99999999"):
        imagenet(tmp_path)
    val = tmp_path / "images" / "val"
    shutil.rmtree(val)
    data_trees.write_pictures(val, ["ILSVRC2012_val_00000001.JPEG"])
    shutil.rmtree(tmp_path / "images" / "train" / "n99999999")
    with pytest.raises(DataError, match=r"val' holds no class folders; sort its pictures"):
        imagenet(tmp_path)


def test_doubled_names_of_clip_s_list_are_told_apart(tmp_path: Path) -> None:
    names = {
        "n03773504": "missile",
        "n04008634": "missile",
        "n04355933": "sunglasses",
        "n04356056": "sunglasses",
    }
    data_trees.write_class_names(tmp_path, names)
    data_trees.write_classes(tmp_path / "images", dict.fromkeys(names, 1))
    listing = imagenet_sketch(tmp_path)
    assert listing.class_names == ("missile", "projectile", "sunglass", "sunglasses")
    assert len(listing.notes) == 2


def test_the_mending_leaves_a_list_alone_that_needs_none(tmp_path: Path) -> None:
    """ImageNet-A holds only one of the two."""
    data_trees.write_class_names(tmp_path, {"n04355933": "sunglasses", "n04356056": "shades"})
    data_trees.write_classes(tmp_path / "imagenet-a", {"n04355933": 1, "n04356056": 1})
    assert imagenet_a(tmp_path).class_names == ("sunglasses", "shades")


def test_other_doubled_names_are_refused(tmp_path: Path) -> None:
    data_trees.write_class_names(tmp_path, {"n01440764": "sea_crane", "n01443537": "sea crane"})
    data_trees.write_classes(tmp_path / "images", {"n01440764": 1, "n01443537": 1})
    with pytest.raises(DataError, match="'sea_crane' and 'sea crane'"):
        imagenet_sketch(tmp_path)


@pytest.mark.parametrize("line", ["n01440764", "n01440764 tench", "n02 "])
def test_damaged_class_names_are_refused(tmp_path: Path, line: str) -> None:
    data_trees.imagenet(tmp_path)
    with (tmp_path / "classnames.txt").open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(DataError, match=f"the line '{line.strip()}'; allowed: 'n01440764 tench'"):
        imagenet(tmp_path)


def test_missing_class_names_say_where_they_come_from(tmp_path: Path) -> None:
    data_trees.imagenet_r(tmp_path)
    (tmp_path / "classnames.txt").unlink()
    with pytest.raises(DataError, match=r"does not exist; supply CoOp's classnames.txt"):
        imagenet_r(tmp_path)


def test_v2_folders_are_labels_not_words(tmp_path: Path) -> None:
    """Sorted as text, "10" would come before "2"."""
    names = {f"n{wnid:08d}": f"class {label}" for label, wnid in enumerate(range(12))}
    data_trees.write_class_names(tmp_path, names)
    pictures = tmp_path / "imagenetv2-matched-frequency-format-val"
    for label in range(12):
        data_trees.write_classes(pictures, {str(label): 1}, f"of_{label}.jpeg")
    listing = imagenetv2(tmp_path)
    assert counts(listing) == {"test": 12}
    for picture in listing.splits["test"]:
        assert picture.path.stem == f"of_{picture.labels[0]}"
    assert listing.class_names[10] == "class 10"


def test_sketch(tmp_path: Path) -> None:
    data_trees.imagenet_sketch(tmp_path)
    listing = imagenet_sketch(tmp_path)
    assert counts(listing) == {"test": 8}
    assert listing.class_names == tuple(data_trees.WNIDS.values())
    assert listing.template == "a photo of a {class}."


def test_a_and_r_are_labelled_among_their_own_classes(tmp_path: Path) -> None:
    data_trees.imagenet_a(tmp_path / "a")
    data_trees.imagenet_r(tmp_path / "r")
    adversarial, renditions = imagenet_a(tmp_path / "a"), imagenet_r(tmp_path / "r")
    assert adversarial.class_names == ("goldfish", "sunglasses")
    assert class_counts(adversarial, "test") == {"goldfish": 3, "sunglasses": 2}
    assert renditions.class_names == ("goldfish", "great white shark")
    assert class_counts(renditions, "test") == {"goldfish": 3, "great white shark": 2}
    assert "2 of the 4 classes in classnames.txt have pictures" in renditions.notes
