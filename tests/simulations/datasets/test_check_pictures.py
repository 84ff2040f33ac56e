"""`fedmvp datasets check` says what is particular about a user's pictures, and what is wrong."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image
from small_pictures import write_folder, write_picture
from typer.testing import CliRunner, Result

from simulations import cli
from simulations.commands.predict import prediction_table

RUNNER = CliRunner(env={"COLUMNS": "200"})
LATIN = os.fsdecode(b"caf\xe9")


def check(dataset: str, root: Path, *words: str) -> Result:
    return RUNNER.invoke(cli.app, ["datasets", "check", dataset, "--root", str(root), *words])


def test_turned_pictures_and_later_frames_are_counted(tmp_path: Path) -> None:
    write_folder(tmp_path, ("ant", "bee"), 5)
    tags = Image.Exif()
    for number, orientation in enumerate((6, 8, 1)):
        tags[ExifTags.Base.Orientation] = orientation
        picture = Image.effect_noise((20, 10 + number), 50).convert("RGB")
        picture.save(tmp_path / "ant" / f"phone{number}.jpg", exif=tags)
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "bee" / "moving.gif", save_all=True, append_images=frames[1:])
    result = check("imagefolder", tmp_path)
    assert result.exit_code == 0, result.output
    assert (
        "note: 2 pictures are turned, as their EXIF data say: ant/phone0.jpg, ant/phone1.jpg\n"
    ) in result.output
    assert (
        "note: 1 pictures are of several frames or pages, of which the first is taken: "
        "bee/moving.gif\n"
    ) in result.output
    assert "nothing is wrong" in result.output
    assert "note:" not in check("imagefolder", tmp_path, "--quick").output


def test_floats_without_a_range_are_named(tmp_path: Path) -> None:
    write_folder(tmp_path, ("ant", "bee"), 5)
    Image.fromarray(np.full((4, 4), np.nan, dtype=np.float32)).save(tmp_path / "ant" / "scan.tif")
    result = check("imagefolder", tmp_path)
    assert result.exit_code == 1
    assert "ant/scan.tif' cannot be read as a picture: its numbers are NaN" in result.output


def test_a_picture_of_train_and_test_is_wrong(tmp_path: Path) -> None:
    for number, name in enumerate("abc"):
        write_picture(tmp_path / f"{name}.png", number, (9, 9))
    shutil.copy(tmp_path / "b.png", tmp_path / "copy.png")
    rows = ["a.png;train;x", "b.png;train;y", "a.png;test;x", "copy.png;test;y", "c.png;test;x"]
    (tmp_path / "labels.csv").write_text("\n".join(["file;split;labels", *rows]))
    result = check("csv-folder", tmp_path, "--quick")
    assert result.exit_code == 1
    assert "note: the cells of labels.csv are parted by semicolons" in result.output
    assert "wrong: 1 picture is in both 'train' and 'test': a.png" in result.output
    assert "copy.png" not in result.output
    result = check("csv-folder", tmp_path)
    assert "as one of 'train', byte for byte: copy.png = b.png" in result.output
    assert "has 2 faults" in result.stderr


@pytest.mark.parametrize("where", ["class", "file", "folder"])
def test_a_name_that_is_no_utf8_is_one_sentence(tmp_path: Path, where: str) -> None:
    root = tmp_path / (LATIN if where == "folder" else "own")
    write_folder(root, ("ant", LATIN if where == "class" else "bee"), 5)
    if where == "file":
        (root / "ant" / "00.png").rename(root / "ant" / f"{LATIN}.png")
    result = check("imagefolder", root)
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "has 1 faults" in result.stderr
    (said,) = [line for line in result.stdout.splitlines() if line.startswith("wrong: ")]
    assert "caf\\xe9" in said
    assert "is not valid UTF-8" in said
    words = ["dataset=imagefolder", "pretrained=", f"data-dir={root}", "--dry-run"]
    dry = RUNNER.invoke(cli.app, ["run", "demo-short", "--supernodes", "2", *words])
    assert dry.exit_code == 2
    assert "caf\\xe9" in dry.stderr
    assert "valid UTF-8" in dry.stderr


def test_a_dry_run_refuses_a_leak(tmp_path: Path) -> None:
    for number, name in enumerate("ab"):
        write_picture(tmp_path / f"{name}.png", number, (9, 9))
    rows = ["a.png,train,x;y", "b.png,train,y", "a.png,test,x;y"]
    (tmp_path / "labels.csv").write_text("\n".join(["file,split,labels", *rows]))
    words = [
        *("run", "demo-short", "--supernodes", "1", "--dry-run", "dataset=csv-folder"),
        *(f"data-dir={tmp_path}", "pretrained=", "setting=multi-label", "partition=iid"),
        *("shots=0", "method=fedmvp", "robust-attack=none"),
    ]
    result = RUNNER.invoke(cli.app, words)
    assert result.exit_code == 2
    assert "1 picture is in both 'train' and 'test': a.png" in result.stderr
    result = RUNNER.invoke(cli.app, [*words, "allow-leaks=true"])
    assert result.exit_code == 0, result.output


def test_a_predicted_file_may_have_any_name() -> None:
    table = prediction_table(Path(f"{LATIN}.jpg"), [("ant", 1.0)], 1)
    assert str(table.title) == "caf\\xe9.jpg"
