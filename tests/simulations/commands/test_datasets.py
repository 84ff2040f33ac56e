"""`fedmvp datasets`: a whole copy passes, and each fault of a broken one is named."""

import dataclasses
from pathlib import Path

import pytest
from data_trees import TREES
from small_pictures import write_folder
from typer.testing import CliRunner, Result

from fedmvp_core.data.readers.table import READERS
from fedmvp_core.errors import ConfigError
from simulations.cli import app
from simulations.datasets.check import examine, unlike

RUNNER = CliRunner(env={"COLUMNS": "200"})


def fedmvp(*words: str | Path) -> Result:
    return RUNNER.invoke(app, ["datasets", *map(str, words)])


def cells(output: str, first: str) -> list[str]:
    """The row of a table that begins with `first`."""
    rows = [[cell.strip() for cell in line.strip("│┃ ").split("│")] for line in output.split("\n")]
    return next(row for row in rows if row[0] == first)


def test_list_names_every_data_set() -> None:
    result = fedmvp("list")
    assert result.exit_code == 0
    assert cells(result.output, "dtd") == ["dtd", "one", "47", "dtd/", "", "shipped"]
    assert cells(result.output, "pacs")[:5] == ["pacs", "one", "7", "pacs/", "4"]
    assert cells(result.output, "voc2007")[1:4] == ["several", "20", "VOC2007/"]
    assert cells(result.output, "imagefolder")[3] == "data-dir itself"
    assert cells(result.output, "emojiscenes")[1] == "several"
    assert all(cells(result.output, name) for name in READERS)


def test_ones_own_pictures_pass(tmp_path: Path) -> None:
    write_folder(tmp_path, ("bee", "ant", "cow"), 10, domains=("photo", "art"))
    result = fedmvp("check", "imagefolder", "--root", tmp_path)
    assert result.exit_code == 0, result.output
    assert cells(result.output, "train") == [
        *("train", "36", "-", "3", "12 to 12", "art 18, photo 18")
    ]
    assert cells(result.output, "1") == ["1", "bee", "12", "4", "4"]
    assert "class order: alphabetical, " in result.output
    assert "base: 2 classes, 'ant' to 'bee'" in result.output
    assert "new: 1 classes, 'cow' to 'cow'" in result.output
    assert "nothing is wrong" in result.output


def test_a_small_copy_is_not_the_published_data_set(tmp_path: Path) -> None:
    TREES["dtd"](tmp_path / "dtd")
    result = fedmvp("check", "dtd", "--root", tmp_path)
    assert result.exit_code == 1
    assert cells(result.output, "train")[:4] == ["train", "15", "2820", "3"]
    assert "wrong: 3 classes were found; expected: 47" in result.output
    assert "wrong: split 'test' has 9 pictures; expected: 1692" in result.output
    assert "dtd in" in result.stderr
    assert "has 4 faults" in result.stderr


def broken(root: Path) -> Path:
    write_folder(root, ("ant", "bee"), 10)
    (root / "ant" / "03.png").write_text("words")
    cut = root / "bee" / "07.png"
    cut.write_bytes(cut.read_bytes()[:300])
    return root


def test_pictures_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    result = fedmvp("check", "imagefolder", "--root", broken(tmp_path))
    assert result.exit_code == 1
    for name in ("ant/03.png", "bee/07.png"):
        assert f"wrong: '{tmp_path}/{name}' cannot be read as a picture" in result.output
    assert "2 faults" in result.stderr


def test_quick_opens_no_picture(tmp_path: Path) -> None:
    result = fedmvp("check", "imagefolder", "--root", broken(tmp_path), "--quick")
    assert result.exit_code == 0
    assert "nothing is wrong (no picture was opened)" in result.output


def test_what_is_missing_is_said_with_the_expected_layout(tmp_path: Path) -> None:
    result = fedmvp("check", "voc2007", "--root", tmp_path)
    assert result.exit_code == 1
    assert "VOC2007/VOCtest2007/VOCdevkit/VOC2007" in result.output
    assert f"'{tmp_path}' holds no folder 'VOC2007', and" in result.stderr


def test_an_unknown_name_is_bad_usage(tmp_path: Path) -> None:
    result = fedmvp("check", "dtdd", "--root", tmp_path)
    assert result.exit_code == 2
    assert "no data set with a folder is called 'dtdd'; did you mean dtd?" in result.stderr
    with pytest.raises(ConfigError, match="is called 'emojidomains'"):
        examine("emojidomains", tmp_path, decode=False)


@pytest.mark.parametrize("many", [False, True])
def test_many_classes_are_listed_on_request(tmp_path: Path, many: bool) -> None:
    write_folder(tmp_path, [f"c{i:02d}" for i in range(61)], 2, splits=("train", "test"))
    words = ["check", "imagefolder", "--root", tmp_path, "--quick"]
    result = fedmvp(*words, *(["--classes"] if many else []))
    assert result.exit_code == 0
    assert ("c29" in result.output) == many


@pytest.mark.parametrize("name", ["pacs", "imagenet_a", "oxford_pets"])
def test_counts_are_those_of_the_listing(name: str, tmp_path: Path) -> None:
    TREES[name](tmp_path / READERS[name].folder)
    found = examine(name, tmp_path, decode=False)
    for split, pictures in found.listing.splits.items():
        assert sum(found.class_counts(split)) == len(pictures)
        assert sum(found.domain_counts(split).values()) in (0, len(pictures))
    assert found.folder == tmp_path / READERS[name].folder


def test_a_domain_that_is_missing_is_a_fault(tmp_path: Path) -> None:
    """PACS' reader asks for all of its domains, so that a listing is made that lacks one."""
    TREES["pacs"](tmp_path / "pacs")
    found = examine("pacs", tmp_path, decode=False)
    assert found.faults == ("3 classes were found; expected: 7",)
    without = {
        split: [picture for picture in pictures if picture.domain != "sketch"]
        for split, pictures in found.listing.splits.items()
    }
    lacking = dataclasses.replace(found.listing, splits=without)
    assert "no pictures of the domains: sketch" in unlike(lacking, READERS["pacs"])


def test_the_order_of_classes_has_a_mark_of_its_own(tmp_path: Path) -> None:
    def order(*classes: str) -> str:
        root = tmp_path / "-".join(classes)
        write_folder(root, classes, 5)
        return examine("imagefolder", root, decode=False).order

    assert order("ant", "bee") == order("bee", "ant")
    assert order("ant", "bee") != order("ant", "cow")


def test_prepare_says_what_to_fetch_by_hand(tmp_path: Path) -> None:
    result = fedmvp("prepare", "stanford_cars", "--root", tmp_path)
    assert result.exit_code == 1
    assert "stanford_cars cannot be downloaded from here; put into" in result.stderr
    result = fedmvp("prepare", "coco2014", "--root", tmp_path)
    assert result.exit_code == 1
    assert f"coco2014 cannot be downloaded from here; unpack it into '{tmp_path}/coco'" in (
        result.stderr
    )


def test_prepare_leaves_what_is_there_alone(tmp_path: Path) -> None:
    TREES["eurosat"](tmp_path / "eurosat")
    result = fedmvp("prepare", "eurosat", "--root", tmp_path)
    assert result.exit_code == 0
    assert cells(result.output, "train")[:3] == ["train", "50", "13500"]
