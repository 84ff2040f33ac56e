"""Oxford 102 Flowers."""

from pathlib import Path

import data_trees
import numpy as np
import pytest
from listings import base_and_new, class_counts, files
from scipy.io import savemat

from fedmvp_core.data.readers.oxford_flowers import oxford_flowers
from fedmvp_core.errors import DataError


def test_by_the_official_labels(tmp_path: Path) -> None:
    data_trees.oxford_flowers(tmp_path)
    listing = oxford_flowers(tmp_path)
    assert base_and_new(listing) == (
        ("pink primrose", "hard-leaved pocket orchid"),
        ("canterbury bells",),
    )
    for split, each in (("train", 5), ("validation", 2), ("test", 3)):
        assert class_counts(listing, split) == dict.fromkeys(listing.class_names, each)
        for picture in listing.splits[split]:  # the tree's labels go 2, 1, 3, 2, 1, 3, ...
            number = int(picture.path.stem.removeprefix("image_"))
            assert picture.labels == (((1, 0, 2)[(number - 1) % 3]),)


def test_by_the_split_file(tmp_path: Path) -> None:
    data_trees.oxford_flowers(tmp_path)
    data_trees.write_split_json(
        tmp_path / "split_zhou_OxfordFlowers.json",
        [("image_00002.jpg", 0, "pink primrose")],
        [],
        [("image_00005.jpg", 0, "pink primrose")],
    )
    listing = oxford_flowers(tmp_path)
    assert files(listing, "train") == ["jpg/image_00002.jpg"]
    assert listing.template == "a photo of a {class}, a type of flower."


def test_names_without_the_names_file_are_the_same(tmp_path: Path) -> None:
    data_trees.oxford_flowers(tmp_path)
    named = oxford_flowers(tmp_path)
    (tmp_path / "cat_to_name.json").unlink()
    assert oxford_flowers(tmp_path) == named


def test_a_torchvision_without_names_is_told_what_to_supply(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data_trees.oxford_flowers(tmp_path)
    (tmp_path / "cat_to_name.json").unlink()
    monkeypatch.delattr("torchvision.datasets.Flowers102.classes", raising=False)
    with pytest.raises(DataError, match=r"needs '.*cat_to_name.json' for the names of 3 classes"):
        oxford_flowers(tmp_path)


def test_a_picture_without_file_and_a_class_without_name_are_refused(tmp_path: Path) -> None:
    data_trees.oxford_flowers(tmp_path)
    (tmp_path / "cat_to_name.json").write_text('{"1": "pink primrose", "2": "orchid"}')
    with pytest.raises(DataError, match=r"cat_to_name.json' cannot be used \(KeyError: '3'\)"):
        oxford_flowers(tmp_path)
    (tmp_path / "jpg" / "image_00007.jpg").unlink()
    with pytest.raises(DataError, match=r"names 1 pictures that are not in .*: image_00007.jpg"):
        oxford_flowers(tmp_path)


def test_labels_count_from_one(tmp_path: Path) -> None:
    data_trees.oxford_flowers(tmp_path)
    savemat(tmp_path / "imagelabels.mat", {"labels": np.array([[0, 1, 2]])})
    with pytest.raises(DataError, match="holds no labels from 1 on"):
        oxford_flowers(tmp_path)
