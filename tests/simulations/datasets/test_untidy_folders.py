"""`fedmvp datasets check` on folders as people have them: one page names everything."""

from pathlib import Path

import pytest
from data_trees import TREES
from small_pictures import write_folder, write_picture
from typer.testing import CliRunner, Result
from untidy_trees import write_bytes, write_system_entries, write_untidy

from simulations.cli import app

RUNNER = CliRunner(env={"COLUMNS": "200"})


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return tmp_path / "pictures"


def check(*words: str | Path) -> Result:
    return RUNNER.invoke(app, ["datasets", "check", *map(str, words)])


def test_one_page_names_everything(pictures: Path) -> None:
    result = check(write_untidy(pictures))
    assert result.exit_code == 1
    for line in (
        "note: folders taken for splits: 'Testing' for test, 'Training' for train, "
        "'Valid' for validation",
        "note: passed over: 16 hidden or system entries (.ipynb_checkpoints 2, @eaDir 2, ._* 2, ",
        "note: passed over: 1 files that are no pictures (.txt 1)",
        "note: 2 pictures are turned, as their EXIF data say: Testing/bee/again.jpg, ",
        "mind: 2 files cannot be read here: .nef 1 (convert with rawpy), "
        ".pdf 1 (convert with pypdfium2)",
        "mind: 1 links to pictures lead nowhere: 'Training/bee/gone.png'",
        "mind: 1 folders hold no picture: 'Training/empty'",
        "mind: 2 classes have a single picture: ant, once",
        "mind: split 'train' has no picture of ant",
        "mind: split 'test' has no picture of Ant, once",
        "wrong: 'Training/phone' holds no picture that can be read here: "
        ".heic 2 (convert with pillow-heif), .mp4 1 (convert with ffmpeg, frame by frame)",
        "wrong: 'Training/lost' is a link that leads nowhere",
        "wrong: 'Training/round' is a link to a folder that holds it",
        "wrong: 'Training/kennel' is the folder 'Training/dog' once more; "
        "its pictures would count twice",
        "wrong: 3 classes are spelled in several ways: 'Ant' and 'ant', "
        "'cafe\\u0301' and 'caf\\xe9', 'road vehicle' and 'road_vehicle'; "
        "rename all but one, or merge them: merge-spellings=true",
        "wrong: the name 'caf\\xe9.png' (in '",
        "wrong: 9 pictures are of 'test' the same as one of 'train', byte for byte: "
        "Testing/ant/00.png = Training/bee/03.png, Testing/bee/again.jpg = Training/bee/phone.jpg",
    ):
        assert line in result.output, line
    assert f"imagefolder in '{pictures}' has 7 faults" in result.stderr
    assert len(result.output.splitlines()) < 50


def test_spellings_are_merged_on_request(pictures: Path) -> None:
    result = check(write_untidy(pictures), "--merge-spellings", "--quick")
    assert "wrong: 3 classes" not in result.output
    assert "note: merged: 3 classes are spelled in several ways: 'Ant' and 'ant'" in result.output
    assert "split 'train' has no picture" not in result.output
    assert "has 5 faults" in result.stderr


def test_layouts_that_cannot_be_told_are_shown_with_all_else(pictures: Path) -> None:
    write_folder(pictures, ("ant", "bee"), 2, splits=("train", "test", "extra"))
    write_folder(pictures, ("ant",), 3)
    write_bytes(pictures / "train" / "phone", ("1.heic",))
    result = check(pictures, "--quick")
    assert result.exit_code == 1
    assert (
        f"wrong: the folders below '{pictures}' are of unequal depth; allowed: "
        "[split/][domain/]class/picture, the same for every picture; "
        "3 lie as class/picture ('ant/00.png') and 4 lie as domain/class/picture "
        "('extra/ant/00.png') and 8 lie as split/class/picture ('test/ant/00.png')"
    ) in result.output
    assert "wrong: 'train/phone' holds no picture that can be read here" in result.output


def test_what_is_taken_for_a_domain_is_said(pictures: Path) -> None:
    write_folder(pictures, ("ant", "bee"), 10, domains=("seg_train", "seg_test"))
    result = check(pictures, "--quick")
    assert "note: folders taken for domains: seg_test, seg_train" in result.output
    assert (
        "mind: taken for domains, and trained on as such: 'seg_test', 'seg_train'; folders of "
        in (result.output)
    )
    plain = pictures.parent / "plain"
    write_folder(plain, ("ant", "bee"), 10, domains=("photo", "art"))
    result = check(plain, "--quick")
    assert "note: folders taken for domains: art, photo" in result.output
    assert "mind:" not in result.output


def test_a_published_data_set_says_what_else_lies_there(tmp_path: Path) -> None:
    folder = tmp_path / "dtd"
    TREES["dtd"](folder)
    write_picture(folder / "images" / ".ipynb_checkpoints" / "00.png", 0)
    write_picture(folder / "images" / "@eaDir" / "banded" / "00.png", 0)
    write_bytes(folder / "images" / "banded", ("._banded_0001.jpg", "more.heic", "Thumbs.db"))
    write_picture(folder / "mine.png", 0)
    (folder / "images" / "woven").symlink_to(tmp_path / "unplugged")
    result = check("dtd", "--root", tmp_path, "--quick")
    assert "3 classes were found" in result.output
    assert "split 'train' has 15 pictures" in result.output
    assert "note: 1 pictures are in no split: mine.png" in result.output
    assert "note: passed over: 5 hidden or system entries (.directory 1, " in result.output
    assert "note: 1 files cannot be read here: .heic 1 (convert with pillow-heif)" in result.output
    assert "note: 'images/woven' is a link that leads nowhere" in result.output


def test_system_entries_change_no_listing(tmp_path: Path) -> None:
    clean, littered = tmp_path / "clean" / "pictures", tmp_path / "littered" / "pictures"
    for root in (clean, littered):
        write_folder(root, ("bee", "dog"), 10, splits=("Training", "Testing"))
    write_system_entries(littered)
    orders = {
        check(root, "--quick").output.split("note:")[0].split("\n", 1)[1]
        for root in (clean, littered)
    }
    assert len(orders) == 1


def test_a_table_is_known_by_its_file(pictures: Path) -> None:
    write_picture(pictures / "1.png", 1)
    write_picture(pictures / "2.png", 2)
    write_picture(pictures / "spare.png", 3)
    rows = "file,split,labels\n1.png,Training,dog\n2.png,Testing,dog\n"
    (pictures / "labels.csv").write_text(rows)
    result = check(pictures)
    assert result.exit_code == 0, result.output
    assert f"csv-folder in {pictures}" in result.output
    assert "note: 1 pictures are in no split: spare.png" in result.output


def test_a_folder_needs_no_root_and_a_name_does(pictures: Path) -> None:
    write_folder(pictures, ("ant", "bee"), 10)
    assert check(pictures).exit_code == 0
    result = check(pictures, "--root", pictures)
    assert result.exit_code == 2
    assert "is a folder of your own; it is checked without --root" in result.stderr
    assert "--root is missing: the folder that holds dtd" in check("dtd").stderr
    assert "did you mean dtd?" in check("dtdd").stderr


@pytest.mark.parametrize("command", [["run", "--dry-run"], ["shards"]])
def test_what_to_mind_is_said_by_every_command(
    command: list[str], pictures: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    write_folder(pictures, ("ant", "bee", "cow"), 10)
    write_picture(pictures / "dodo" / "00.png", 1)
    write_bytes(pictures / "ant", ("live.mov",))
    keys = ["dataset=imagefolder", f"data-dir={pictures}", "pretrained=", "method=fedmvp"]
    first, *rest = command
    result = RUNNER.invoke(app, [first, *keys, *rest, "--supernodes", "2"])
    assert result.exit_code == 0, result.output
    for said in (
        "mind: pictures: 1 files cannot be read here: .mov 1 (convert with ffmpeg, frame by frame)",
        "mind: pictures: 1 classes have a single picture: dodo",
        "mind: pictures: split 'test' has no picture of dodo",
    ):
        assert said in result.output


def test_what_is_refused_ends_a_dry_run(pictures: Path) -> None:
    words = ["run", "dataset=imagefolder", f"data-dir={write_untidy(pictures)}", "--dry-run"]
    result = RUNNER.invoke(app, words)
    assert result.exit_code == 2
    assert "'Training/phone' holds no picture that can be read here: .heic 2" in result.stderr
    assert f"and 3 more faults: fedmvp datasets check imagefolder --root {pictures}" in (
        " ".join(result.stderr.split())
    )
