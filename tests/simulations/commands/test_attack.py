"""`fedmvp attack`: what it prints, writes and refuses, on a run of two rounds."""

import csv
import json
import shutil
from statistics import harmonic_mean

import pandas as pd
import pytest
from typer.testing import CliRunner

from simulations import cli
from simulations.attack import report as attack_report
from simulations.attack.names import AttackName
from simulations.attack.plan import plan_attack
from simulations.report.attacked_later import later_attacks, read_attacks

COLUMNS = (
    "split,attack,steps,epsilon,defence,round,images,"
    "zero_shot_clean,zero_shot_robust,tuned_clean,tuned_robust"
)


def fedmvp(*words: str):
    return CliRunner().invoke(cli.app, list(words), env={"COLUMNS": "100"})


@pytest.fixture
def mine(attacked_run, tmp_path, monkeypatch):
    """runs/mine below the working directory: a copy of the attacked run."""
    folder = tmp_path / "runs" / "mine"
    shutil.copytree(attacked_run, folder)
    monkeypatch.chdir(tmp_path)
    return folder


def test_table_and_pictures(mine, monkeypatch):
    words = ("--attack", "pgd,fgsm", "--epsilon", "0", "4/255", "--steps", "1", "--images", "2")
    drawn = []
    draw = attack_report.draw_examples
    monkeypatch.setattr(attack_report, "draw_examples", lambda *args: drawn.append(args))
    result = fedmvp("attack", "mine", *words)
    assert result.exit_code == 0, result.output
    stem = "pgd-1+fgsm-eps0+4-255-2-images"
    with (mine / "attacks" / f"{stem}.csv").open(newline="") as file:
        assert file.readline().strip() == COLUMNS
        rows = list(csv.reader(file))
    attacks = [("pgd", "1", "0"), ("pgd", "1", "4/255"), ("fgsm", "1", "0"), ("fgsm", "1", "4/255")]
    attacks += [("worst-case", "", "0"), ("worst-case", "", "4/255")]
    expected = [(split, *attack, "", "2", "2") for attack in attacks for split in ("base", "new")]
    assert [tuple(row[:7]) for row in rows] == expected
    for row in rows:
        frozen, frozen_robust, tuned, tuned_robust = map(float, row[7:])
        assert frozen_robust <= frozen
        assert tuned_robust <= tuned
        if row[3] == "0":
            assert (frozen_robust, tuned_robust) == (frozen, tuned)
        if row[1] == "worst-case":
            alone = [r for r in rows if (r[0], r[3]) == (row[0], row[3])]
            assert frozen_robust <= min(float(r[8]) for r in alone)
            assert tuned_robust <= min(float(r[10]) for r in alone)
    with (mine / "attacks" / f"{stem}-curve.csv").open(newline="") as file:
        areas = list(csv.DictReader(file))
    assert len(areas) == 3 * 2
    for area in areas:
        left = {r[3]: r for r in rows if r[0] == area["split"] and area["attack"].startswith(r[1])}
        assert area["epsilons"] == "0 4/255"
        for model, column in (("zero_shot_area", 8), ("tuned_area", 10)):
            mean = (float(left["0"][column]) + float(left["4/255"][column])) / 2
            assert float(area[model]) == pytest.approx(mean)
    assert (mine / "attacks" / f"{stem}-curve.png").read_bytes().startswith(b"\x89PNG")
    markdown = (mine / "attacks" / f"{stem}.md").read_text().splitlines()
    assert len(markdown) == 2 + len(rows)
    assert markdown[2].startswith("| base | pgd-1 | 0 | 2 |")
    names = [f"{a}-eps{e}-2-images.png" for a in ("pgd-1", "fgsm") for e in ("0", "4-255")]
    assert [path.name for path, _, _ in drawn] == names
    draw(*drawn[-1])
    assert (mine / "attacks" / names[-1]).read_bytes().startswith(b"\x89PNG")
    told = ("worst-case: of pgd-1, fgsm, image by image", "area under the curve", "-curve.png")
    for text in ("zero-shot", "tuned", "robust", "fgsm", "4/255", f"{stem}.csv", *told):
        assert text in result.output


def test_classes_of_a_split_add_up_to_it(mine):
    words = ("--attack", "pgd", "--attack", "pgd-l2", "--epsilon", "16/255", "--steps", "2")
    result = fedmvp("attack", "mine", *words)
    assert result.exit_code == 0, result.output
    stem = mine / "attacks" / "pgd-2+pgd-l2-2-eps16-255"
    whole, classes = (pd.read_csv(f"{stem}{end}") for end in (".csv", "-classes.csv"))
    shares = ["zero_shot_clean", "zero_shot_robust", "tuned_clean", "tuned_robust"]
    assert list(classes.columns[5:]) == ["class", "images", *shares]
    assert classes["class"].nunique() > 2
    for (split, attack), rows in classes.groupby(["split", "attack"]):
        (row,) = whole[(whole["split"] == split) & (whole["attack"] == attack)].to_dict("records")
        assert rows["images"].sum() == row["images"]
        for share in shares:
            mean = (rows[share] * rows["images"]).sum() / rows["images"].sum()
            assert mean == pytest.approx(row[share])
    assert set(classes["attack"]) == {"pgd", "pgd-l2"}
    assert f"{stem.name}-classes.csv" in result.output.replace("\n", "")
    assert [name for name, _ in later_attacks(mine)] == [f"{stem.name}.csv"]


def test_the_headlines_of_the_run_are_there_where_clients_hold_all_of_a_split(mine):
    shards = json.loads((mine / "shards.json").read_text())
    (mine / "shards.json").write_text(json.dumps(shards[:1]))  # one client: all base classes
    result = fedmvp("attack", "mine", "--attack", "fgsm", "--epsilon", "4/255", "--images", "3")
    assert result.exit_code == 0, result.output
    with (mine / "attacks" / "fgsm-eps4-255-3-images.csv").open(newline="") as file:
        rows = {row["split"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["base", "new", "local", "harmonic-mean"]
    for column in COLUMNS.split(",")[-4:]:
        base, new, local, mean = (float(row[column]) for row in rows.values())
        assert local == base
        assert mean == pytest.approx(harmonic_mean((base, base, new)))
    assert rows["harmonic-mean"]["images"] == "6"


def test_a_defence_is_a_row_and_is_attacked_through(mine):
    words = ("--attack", "fgsm", "--images", "3", "--split", "base", "--defence", "none,ttc")
    result = fedmvp("attack", "mine", *words)
    assert result.exit_code == 0, result.output
    (table,) = (mine / "attacks").glob("*images.csv")
    assert table.name == "fgsm+fgsm-ttc-eps4-255-base-3-images.csv"
    with table.open(newline="") as file:
        plain, guarded = csv.DictReader(file)
    assert (plain["defence"], guarded["defence"]) == ("", "ttc")
    assert "fgsm through ttc" in " ".join(result.output.split())
    ((_, rows),) = later_attacks(mine)
    assert [row.attack for row in rows] == ["fgsm", "fgsm through ttc"]


def test_a_table_of_before_there_were_defences_is_read(mine):
    fedmvp("attack", "mine", "--attack", "fgsm", "--images", "2", "--split", "base")
    (table,) = (mine / "attacks").glob("*images.csv")
    rows = list(csv.reader(table.open(newline="")))
    now = read_attacks(table)
    column = COLUMNS.split(",").index("defence")
    table.write_text("\n".join(",".join(r[:column] + r[column + 1 :]) for r in rows))
    assert read_attacks(table) == now


def test_without_zero_shot_its_columns_are_empty(mine):
    words = ("--split", "new", "--no-zero-shot", "--attack", "fgsm", "--images", "2")
    result = fedmvp("attack", "mine", *words)
    assert result.exit_code == 0, result.output
    assert "zero-shot" not in result.output
    text = (mine / "attacks" / "fgsm-eps4-255-new-2-images.csv").read_text()
    header, row = text.splitlines()
    assert header == COLUMNS
    assert row.startswith("new,fgsm,1,4/255,,2,2,,,")
    # One attack with one radius has neither a worst case nor a curve.
    assert not list((mine / "attacks").glob("*-curve.*"))


def test_what_was_found_before_an_interrupt_is_kept(mine, monkeypatch):
    whole = attack_report.attack_target

    def interrupted(saved, target, model, name, *rest):
        if target.split == "new":
            raise KeyboardInterrupt
        return whole(saved, target, model, name, *rest)

    monkeypatch.setattr(attack_report, "attack_target", interrupted)
    result = fedmvp("attack", "mine", "--attack", "fgsm", "--images", "2")
    assert result.exit_code == 130
    text = (mine / "attacks" / "fgsm-eps4-255-2-images.csv").read_text()
    assert [line.split(",")[0] for line in text.splitlines()] == ["split", "base"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--attack", "pgb"], "attack is 'pgb'; did you mean pgd"),
        (["--epsilon", "4/x"], "epsilon is '4/x'; allowed: a number from 0 to 1"),
        (["--epsilon", "1/255", "8"], "epsilon is '8'; allowed: a number from 0 to 1"),
        (["--epsilon", "nan"], "epsilon is 'nan'"),
        (["--epsilon", "0", "--epsilon", "1.5"], "epsilon is '1.5'; allowed: a number from 0 to 1"),
        (["--split", "base,old"], "split is 'old'; allowed with setting 'base-to-new': base, new"),
        (["--attack", "pgd", "square"], "'square' is not understood; write --attack pgd --attack"),
        (["--device", "tpu"], "device is 'tpu'; allowed: auto, cpu, cuda"),
    ],
)
def test_bad_usage_is_one_line_and_exit_2(mine, words, sentence):
    result = fedmvp("attack", "mine", *words)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {sentence}")
    assert len(result.stderr.splitlines()) == 1
    assert not (mine / "attacks").exists()


@pytest.mark.parametrize("word", ["--steps=0", "--images=-1", "--batch-size=0", "--draws=0"])
def test_numbers_out_of_range_are_exit_2(mine, word):
    assert fedmvp("attack", "mine", word).exit_code == 2


def test_autoattack_is_refused_before_anything_starts_where_it_is_not_installed(mine, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    result = fedmvp("attack", "mine", "--attack", "pgd", "--attack", "autoattack")
    assert result.exit_code == 2
    assert "needs the package pyautoattack: pip install 'fedmvp[attacks]'" in result.stderr


def test_a_run_without_checkpoint_is_exit_1(mine):
    shutil.rmtree(mine / "checkpoints")
    result = fedmvp("attack", "mine")
    assert result.exit_code == 1
    assert "holds no checkpoint" in result.stderr


def test_a_run_of_another_schema_is_exit_1(mine):
    config = json.loads((mine / "config.json").read_text()) | {"method": "zs-clip"}
    (mine / "config.json").write_text(json.dumps(config))
    result = fedmvp("attack", "mine")
    assert result.exit_code == 1
    assert "holds prompt tensors of schema" in result.stderr


def test_no_run_of_that_name_is_exit_2(mine):
    result = fedmvp("attack", "min")
    assert result.exit_code == 2
    assert "no run 'min'; did you mean mine?" in result.stderr


def test_a_folder_that_cannot_be_written_is_exit_1(mine):
    (mine / "attacks").write_text("a file")
    result = fedmvp("attack", "mine", "--attack", "fgsm", "--images", "2", "--no-zero-shot")
    assert result.exit_code == 1
    assert "attacks' cannot be written" in result.stderr


@pytest.mark.parametrize(
    ("config", "attacks", "expected"),
    [
        ({"robust_attack": "cw", "robust_steps": 7}, [], [AttackName("cw", 7, "4/255")]),
        ({"robust_attack": "none"}, [], [AttackName("pgd", 10, "4/255")]),
        ({"robust_epsilon": "1/255"}, ["fgsm"], [AttackName("fgsm", 10, "1/255")]),
        ({}, ["square"], [AttackName("square", 1000, "4/255")]),
    ],
)
def test_what_is_not_said_is_as_in_the_run(default_config, config, attacks, expected):
    plan = plan_attack(default_config(**config), attacks, [], None, 0, [], True, 256, "auto")
    assert list(plan.names) == expected
