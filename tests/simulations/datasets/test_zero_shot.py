"""`fedmvp datasets check --backbone`: the frozen model on a copy, beside published numbers."""

import re
from pathlib import Path
from statistics import fmean

import pytest
from small_pictures import write_folder
from typer.testing import CliRunner

from fedmvp_core.backbone import load_backbone
from fedmvp_core.data.pixels.pictures import load_picture
from fedmvp_core.data.readers.table import READERS
from simulations.cli import app
from simulations.datasets.zero_shot import VIT_B_16, measure_zero_shot, published_zero_shot


def test_the_numbers_have_the_means_that_are_published_with_them() -> None:
    assert set(VIT_B_16) <= set(READERS)
    assert len(VIT_B_16) == 11
    assert fmean(base for base, _ in VIT_B_16.values()) == pytest.approx(69.34, abs=0.01)
    assert fmean(new for _, new in VIT_B_16.values()) == pytest.approx(74.22, abs=0.01)


def test_a_number_is_of_one_backbone_and_its_weights() -> None:
    assert published_zero_shot("dtd", "ViT-B-16", "openai") == {"base": 53.24, "new": 59.90}
    assert published_zero_shot("dtd", "ViT-B-16-quickgelu", "openai")
    assert not published_zero_shot("dtd", "ViT-B-16", "laion2b_s34b_b88k")
    assert not published_zero_shot("dtd", "ViT-B-32", "openai")
    assert not published_zero_shot("imagefolder", "ViT-B-16", "openai")


def test_it_is_the_accuracy_among_the_classes_of_a_half(tmp_path: Path) -> None:
    names = ("ant", "bee", "cow")
    write_folder(tmp_path, names, 4, splits=("train", "test"))
    base, new = measure_zero_shot("imagefolder", tmp_path, "tiny", "embedded")
    assert (base.split, base.images, new.split, new.images) == ("base", 8, "new", 4)
    assert new.measured == 100  # of one class
    assert base.published is None
    backbone = load_backbone("tiny", "embedded")
    texts = backbone.encode_text([f"a picture of a {name}." for name in names[:2]], normalize=True)
    right = []
    for label, name in enumerate(names[:2]):
        for path in sorted((tmp_path / "test" / name).iterdir()):
            image = load_picture(path, 64)[None]
            features = backbone.encode_image(image, normalize=True)
            right.append(int((features @ texts.T).argmax()) == label)
    assert base.measured == pytest.approx(100 * fmean(right))


def test_check_prints_it(tmp_path: Path) -> None:
    write_folder(tmp_path, ("ant", "bee", "cow"), 10)
    words = ("datasets", "check", "imagefolder", "--root", str(tmp_path))
    words += ("--backbone", "tiny", "--pretrained", "embedded")
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, words)
    assert result.exit_code == 0, result.output
    assert re.search(r"base +│ 4 +│ [0-9.]+ % +│ - ", result.output)
    assert re.search(r"new +│ 2 +│ 100.0 % +│ - ", result.output)
