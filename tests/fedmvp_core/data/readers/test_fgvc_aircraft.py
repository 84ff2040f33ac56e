"""FGVC-Aircraft, whose official splits CoOp uses."""

from pathlib import Path

import data_trees
import pytest
from listings import base_and_new, class_counts, counts, files

from fedmvp_core.data.readers.fgvc_aircraft import fgvc_aircraft
from fedmvp_core.errors import DataError


def test_official_splits(tmp_path: Path) -> None:
    data_trees.fgvc_aircraft(tmp_path)
    listing = fgvc_aircraft(tmp_path)
    assert base_and_new(listing) == (("707-320", "727-200"), ("F/A-18",))
    assert counts(listing) == {"train": 9, "validation": 6, "test": 6}
    for split, each in (("train", 3), ("validation", 2), ("test", 2)):
        assert class_counts(listing, split) == dict.fromkeys(listing.class_names, each)
    assert files(listing, "train")[0] == "images/1025794.jpg"
    assert listing.splits["train"][-1].labels == (2,)
    assert listing.template == "a photo of a {class}, a type of aircraft."


def test_names_of_several_words_and_not_ascii(tmp_path: Path) -> None:
    data_trees.fgvc_aircraft(tmp_path)
    data_trees.write_lines(tmp_path / "variants.txt", ["Falcon 2000", "Córdoba ÅÄ"])
    data_trees.write_pictures(tmp_path / "images", ["1.jpg", "2.jpg"])
    for split in ("train", "val", "test"):
        file = tmp_path / f"images_variant_{split}.txt"
        data_trees.write_lines(file, ["1 Falcon 2000", "2 Córdoba ÅÄ"])
    listing = fgvc_aircraft(tmp_path)
    assert listing.class_names == ("Falcon 2000", "Córdoba ÅÄ")
    assert "4 pictures are in more than one split" in listing.notes


def test_missing_and_contradicting_files_are_refused(tmp_path: Path) -> None:
    data_trees.fgvc_aircraft(tmp_path)
    (tmp_path / "images_variant_val.txt").write_text("1025803 747-400\n")
    with pytest.raises(DataError, match=r"variant '747-400'; allowed: those of variants.txt"):
        fgvc_aircraft(tmp_path)
    (tmp_path / "images_variant_val.txt").unlink()
    with pytest.raises(DataError, match=r"needs '.*images_variant_val.txt', which does not exist"):
        fgvc_aircraft(tmp_path)
