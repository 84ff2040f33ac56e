"""`fedmvp corrupt`: what it prints, writes and refuses, on a run of two rounds."""

import csv
import shutil

import pytest
from typer.testing import CliRunner

from simulations import cli
from simulations.attack.corrupt import COLUMNS


def fedmvp(*words: str):
    return CliRunner().invoke(cli.app, list(words), env={"COLUMNS": "100"})


@pytest.fixture
def mine(attacked_run, tmp_path, monkeypatch):
    """runs/mine below the working directory: a copy of the attacked run."""
    folder = tmp_path / "runs" / "mine"
    shutil.copytree(attacked_run, folder)
    monkeypatch.chdir(tmp_path)
    return folder


def test_a_row_for_each_corruption_and_severity(mine):
    words = ("--corruption", "contrast,typographic", "--images", "4")
    result = fedmvp("corrupt", "mine", *words)
    assert result.exit_code == 0, result.output
    with (mine / "attacks" / "corruptions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    budget = [("clean", "0")]
    budget += [(name, str(n)) for name in ("contrast", "typographic") for n in range(1, 6)]
    expected = [(split, *place) for split in ("base", "new") for place in budget]
    assert [(r["split"], r["corruption"], r["severity"]) for r in rows] == expected
    for row in rows:
        assert (row["round"], row["images"]) == ("2", "4")
        assert 0 <= float(row["zero_shot"]) <= 1
        assert 0 <= float(row["tuned"]) <= 1
    lines = (mine / "attacks" / "corruptions.md").read_text().splitlines()
    # Clean, two corruptions and their mean, for two models and two splits.
    assert len(lines) == 2 + 4 * 2 * 2
    assert lines[0] == "| split | corruption | model | 1 | 2 | 3 | 4 | 5 | mean |"
    contrast = [float(r["tuned"]) for r in rows[:11] if r["corruption"] == "contrast"]
    (line,) = (line for line in lines if line.startswith("| base | contrast | tuned |"))
    assert f"| {100 * sum(contrast) / 5:.1f}" in line
    for text in ("contrast", "zero-shot", "tuned", "corruptions.csv"):
        assert text in result.output


def test_without_zero_shot_its_column_is_empty(mine):
    words = ("--corruption", "jpeg", "--split", "new", "--no-zero-shot", "--images", "2")
    result = fedmvp("corrupt", "mine", *words)
    assert result.exit_code == 0, result.output
    assert "zero-shot" not in result.output
    rows = (mine / "attacks" / "corruptions.csv").read_text().splitlines()[1:]
    assert all(row.split(",")[5] == "" for row in rows)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--corruption", "jpg"], "corruption is 'jpg'; did you mean jpeg"),
        (["--split", "old"], "split is 'old'; allowed with setting 'base-to-new': base, new"),
        (["--device", "tpu"], "device is 'tpu'; allowed: auto, cpu, cuda"),
    ],
)
def test_bad_usage_is_one_line_and_exit_2(mine, words, sentence):
    result = fedmvp("corrupt", "mine", *words)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {sentence}")
    assert len(result.stderr.splitlines()) == 1
    assert not (mine / "attacks").exists()


def test_a_run_without_checkpoint_is_exit_1(mine):
    shutil.rmtree(mine / "checkpoints")
    result = fedmvp("corrupt", "mine")
    assert result.exit_code == 1
    assert "holds no checkpoint" in result.stderr


def test_no_run_of_that_name_is_exit_2(mine):
    result = fedmvp("corrupt", "min")
    assert result.exit_code == 2
    assert "no run 'min'; did you mean mine?" in result.stderr


def test_a_folder_that_cannot_be_written_is_exit_1(mine):
    (mine / "attacks").write_text("a file")
    result = fedmvp("corrupt", "mine", "--corruption", "jpeg", "--images", "2", "--no-zero-shot")
    assert result.exit_code == 1
    assert "attacks' cannot be written" in result.stderr
