"""The report tells what `fedmvp attack` and `fedmvp alarm` left in the run folder."""

import json
import re

import pytest

from simulations.report import write_report
from simulations.report.attacked_later import alarm_sentence, later_attacks

HEADER = (
    "split,attack,steps,epsilon,round,images,"
    "zero_shot_clean,zero_shot_robust,tuned_clean,tuned_robust\n"
)
ROWS = (
    "base,pgd,10,4/255,20,100,0.5,0.2,0.6,0.41\n"
    "base,square,1000,4/255,20,100,0.5,0.3,0.6,0.43\n"
    "base,worst-case,,4/255,20,100,,,0.6,0.37\n"
)


@pytest.fixture
def folder(make_run, tmp_path):
    run = make_run(tmp_path / "run")
    (run / "attacks").mkdir()
    return run


def alarm(folder, passed: bool | None) -> None:
    finding = {"split": "base", "model": "tuned", "check": "black-box", "passed": passed}
    other = finding | {"check": "randomness", "passed": True}
    content = {"round": 20, "budget": {"epsilon": "4/255"}, "findings": [finding, other]}
    (folder / "attacks" / "alarm.json").write_text(json.dumps(content))


def words(path) -> str:
    text = re.sub(r"<style>.*?</style>|<[^>]*>", " ", path.read_text(), flags=re.DOTALL)
    return " ".join(text.split())


def test_the_report_shows_the_worst_case_and_the_alarm(folder):
    (folder / "attacks" / "pgd-10+square-1000-eps4-255.csv").write_text(HEADER + ROWS)
    (folder / "attacks" / "pgd-10-curve.csv").write_text("split,attack,epsilons\nbase,pgd-10,0\n")
    alarm(folder, passed=False)
    ((name, rows),) = later_attacks(folder)
    assert name == "pgd-10+square-1000-eps4-255.csv"
    assert [row.attack for row in rows] == ["pgd-10", "square-1000", "worst-case"]
    assert [row.worst for row in rows] == [False, False, True]
    text = words(write_report(folder))
    assert "Attacked afterwards" in text
    assert "worst-case 4/255 20 100 – – 60.0 37.0" in text
    assert "1 of 2 checks rang (ε = 4/255, round 20): black-box (base, tuned)." in text


def test_a_run_without_later_attacks_says_nothing_of_them(make_run, tmp_path):
    run = make_run(tmp_path / "run")
    assert (later_attacks(run), alarm_sentence(run)) == ([], "")
    assert "Attacked afterwards" not in words(write_report(run))


@pytest.mark.parametrize(("passed", "made"), [(True, 2), (None, 1)])
def test_a_silent_alarm_counts_the_checks_that_were_made(folder, passed, made):
    alarm(folder, passed)
    expected = f"No sign of gradient masking in {made} checks (ε = 4/255, round 20)."
    assert alarm_sentence(folder) == expected


def test_files_that_cannot_be_read_are_left_out_and_named(folder, caplog):
    (folder / "attacks" / "empty.csv").write_text("")
    (folder / "attacks" / "odd.csv").write_text(HEADER + "base,pgd,ten,4/255,20,100,1,1,1,1\n")
    (folder / "attacks" / "alarm.json").write_text("[1]")
    assert later_attacks(folder) == []
    assert alarm_sentence(folder) == ""
    for name in ("empty.csv", "odd.csv"):
        assert f"{name}' is left out of the report" in caplog.text
