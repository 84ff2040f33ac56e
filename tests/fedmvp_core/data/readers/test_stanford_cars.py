"""Stanford Cars, whose annotations are MATLAB files."""

import shutil
import sys
from pathlib import Path

import data_trees
import numpy as np
import pytest
from listings import base_and_new, class_counts, counts, files
from scipy.io import savemat

from fedmvp_core.data.readers.stanford_cars import stanford_cars
from fedmvp_core.errors import DataError


def test_by_the_official_annotations(tmp_path: Path) -> None:
    data_trees.stanford_cars(tmp_path / "cars")
    listing = stanford_cars(tmp_path / "cars")
    assert base_and_new(listing) == (
        ("2000 AM General Hummer SUV", "2012 Acura RL Sedan"),
        ("2012 Ram C/V Cargo Van Minivan",),
    )
    for split, each in (("train", 4), ("validation", 1), ("test", 2)):
        assert class_counts(listing, split) == dict.fromkeys(listing.class_names, each)
    # Picture i of the tree has the class i modulo 3.
    for split in listing.splits:
        for picture in listing.splits[split]:
            assert picture.path.parent.name == ("cars_test" if split == "test" else "cars_train")
            assert picture.labels == ((int(picture.path.stem) - 1) % 3,)


def test_labels_of_the_test_part_may_lie_in_the_devkit(tmp_path: Path) -> None:
    data_trees.stanford_cars(tmp_path / "cars")
    before = stanford_cars(tmp_path / "cars")
    name = "cars_test_annos_withlabels.mat"
    shutil.move(tmp_path / "cars" / name, tmp_path / "cars" / "devkit" / name)
    assert stanford_cars(tmp_path / "cars") == before


def test_paths_in_the_split_file_start_at_the_data_set(tmp_path: Path) -> None:
    data_trees.stanford_cars(tmp_path / "cars")
    data_trees.write_split_json(
        tmp_path / "cars" / "split_zhou_StanfordCars.json",
        [("cars_train/00002.jpg", 0, "2012 Acura RL Sedan")],
        [],
        [("cars_test/00001.jpg", 0, "2012 Acura RL Sedan")],
    )
    listing = stanford_cars(tmp_path / "cars")
    assert counts(listing) == {"train": 1, "test": 1}
    assert files(listing, "test") == ["cars_test/00001.jpg"]


def test_the_test_file_without_labels_is_told_apart(tmp_path: Path) -> None:
    """The devkit's own cars_test_annos.mat has boxes only."""
    data_trees.stanford_cars(tmp_path / "cars")
    boxes = np.empty((1, 1), dtype=[("bbox_x1", object), ("fname", object)])
    boxes[0, 0] = (1, "00001.jpg")
    savemat(tmp_path / "cars" / "cars_test_annos_withlabels.mat", {"annotations": boxes})
    with pytest.raises(DataError, match="holds no labels"):
        stanford_cars(tmp_path / "cars")


def test_a_class_that_the_devkit_does_not_name(tmp_path: Path) -> None:
    data_trees.stanford_cars(tmp_path / "cars")
    names = np.array([["AM General Hummer SUV 2000", "Acura RL Sedan 2012"]], dtype=object)
    savemat(tmp_path / "cars" / "devkit" / "cars_meta.mat", {"class_names": names})
    with pytest.raises(DataError, match="has the class 3; allowed: 1 to 2"):
        stanford_cars(tmp_path / "cars")


def test_without_scipy_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data_trees.stanford_cars(tmp_path / "cars")
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    with pytest.raises(DataError, match=r"pip install 'fedmvp\[data\]'.*split_zhou_StanfordCars"):
        stanford_cars(tmp_path / "cars")


def test_missing_and_damaged_annotations_are_named(tmp_path: Path) -> None:
    data_trees.stanford_cars(tmp_path / "cars")
    meta = tmp_path / "cars" / "devkit" / "cars_meta.mat"
    meta.write_bytes(meta.read_bytes()[:150])
    with pytest.raises(DataError, match=r"cars_meta.mat' cannot be read"):
        stanford_cars(tmp_path / "cars")
    savemat(meta, {"names": np.zeros(3)})
    with pytest.raises(DataError, match="has no variable 'class_names'"):
        stanford_cars(tmp_path / "cars")
    meta.unlink()
    with pytest.raises(DataError, match=r"cars_meta.mat', which does not exist; supply it, or"):
        stanford_cars(tmp_path / "cars")
