"""`fedmvp alarm`: what it prints, writes and refuses, on a run of two rounds."""

import csv
import json
import shutil
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from fedmvp_core.errors import ConfigError
from simulations import cli
from simulations.attack import alarm as alarm_report
from simulations.attack.plan import plan_alarm

QUICK = ("--images", "3", "--steps", "2", "--queries", "2")
CHECKS = 8


def fedmvp(*words: str):
    return CliRunner().invoke(cli.app, list(words), env={"COLUMNS": "120"})


@pytest.fixture
def mine(attacked_run, tmp_path, monkeypatch):
    """runs/mine below the working directory: a copy of the attacked run."""
    folder = tmp_path / "runs" / "mine"
    shutil.copytree(attacked_run, folder)
    monkeypatch.chdir(tmp_path)
    return folder


def test_one_table_and_three_files(mine):
    result = fedmvp("alarm", "mine", "--split", "base", *QUICK, "--draws", "2")
    assert result.exit_code == 0, result.output
    with (mine / "attacks" / "alarm.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == alarm_report.COLUMNS
    assert [row["model"] for row in rows] == CHECKS * ["zero-shot"] + CHECKS * ["tuned"]
    assert {row["split"] for row in rows} == {"base"}
    found = json.loads((mine / "attacks" / "alarm.json").read_text())
    assert found["round"] == 2
    assert found["budget"] == {
        "epsilon": "4/255",
        "steps": 2,
        "few_steps": 1,
        "queries": 2,
        "draws": 2,
        "batch_size": 64,
        "seed": found["budget"]["seed"],
        "images": 3,
    }
    for row, finding in zip(rows, found["findings"], strict=True):
        assert (row["check"], row["model"]) == (finding["check"], finding["model"])
        assert row["passed"] == {True: "true", False: "false", None: ""}[finding["passed"]]
        if finding["passed"] is not None:
            assert finding["passed"] == (float(row["measured"]) <= float(row["threshold"]))
    transfers = [finding for finding in found["findings"] if finding["check"] == "transfer"]
    assert transfers[0]["unchecked"] == "this is the frozen model"
    assert transfers[0]["measured"] is None
    markdown = (mine / "attacks" / "alarm.md").read_text()
    for name in ("black-box", "more-steps", "larger-epsilon", "one-step", "randomness"):
        assert f"| base | tuned | {name} | " in markdown
        assert f"- `{name}`: " in markdown
        assert name in result.output
    assert "checks" in result.output
    assert "alarm.json" in result.output


@pytest.fixture
def one_rings(monkeypatch):
    """The check of gradients does not pass, whatever the model."""
    checked = alarm_report.masking_findings

    def ringing(*args, **keywords):
        found = checked(*args, **keywords)
        return [replace(f, measured=1.0) if f.check == "gradients" else f for f in found]

    monkeypatch.setattr(alarm_report, "masking_findings", ringing)


@pytest.mark.parametrize(("words", "code"), [((), 0), (("--strict",), 1)])
@pytest.mark.usefixtures("one_rings")
def test_what_rings_is_the_exit_code_only_if_strict(mine, words, code):
    result = fedmvp("alarm", "mine", "--split", "new", "--no-zero-shot", *QUICK, *words)
    assert result.exit_code == code, result.output
    assert "ALARM" in result.output
    assert "1 of 8 checks rang: gradients (new, tuned)" in result.output
    assert "zero-shot" not in (mine / "attacks" / "alarm.csv").read_text()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--split", "old"], "split is 'old'; allowed with setting 'base-to-new': base, new"),
        (["--epsilon", "4"], "epsilon is '4'; allowed: a number from 0 to 1"),
        (["--epsilon", "0/255"], "epsilon is '0/255'; allowed here: a number above 0, to 1"),
        (["--device", "tpu"], "device is 'tpu'; allowed: auto, cpu, cuda"),
    ],
)
def test_bad_usage_is_one_line_and_exit_2(mine, words, sentence):
    result = fedmvp("alarm", "mine", *words)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {sentence}")
    assert len(result.stderr.splitlines()) == 1
    assert not (mine / "attacks").exists()


@pytest.mark.parametrize("word", ["--steps=1", "--queries=0", "--draws=0", "--images=-1"])
def test_numbers_out_of_range_are_exit_2(mine, word):
    assert fedmvp("alarm", "mine", word).exit_code == 2


def test_a_run_without_checkpoint_is_exit_1(mine):
    shutil.rmtree(mine / "checkpoints")
    result = fedmvp("alarm", "mine")
    assert result.exit_code == 1
    assert "holds no checkpoint" in result.stderr


def test_no_run_of_that_name_is_exit_2(mine):
    result = fedmvp("alarm", "min")
    assert result.exit_code == 2
    assert "no run 'min'; did you mean mine?" in result.stderr


def test_a_folder_that_cannot_be_written_is_exit_1(mine):
    (mine / "attacks").write_text("a file")
    result = fedmvp("alarm", "mine", "--split", "base", "--no-zero-shot", *QUICK)
    assert result.exit_code == 1
    assert "attacks' cannot be written" in result.stderr


def test_what_is_not_said_is_as_in_the_run(default_config):
    config = default_config(robust_epsilon="1/255")
    plan = plan_alarm(config, None, (50, 1000, 1, 64), 100, ["base,new"], True, "cpu")
    assert (plan.epsilon, plan.splits) == ("1/255", ("base", "new"))
    assert (plan.budget.steps, plan.budget.few_steps) == (50, 10)
    with pytest.raises(ConfigError, match="epsilon is '0'"):
        plan_alarm(config, "0", (50, 1000, 1, 64), 100, [], True, "cpu")
