"""The report of a federation over several data sets, and headlines of other settings in words."""

from collections.abc import Callable
from pathlib import Path

import pytest

from simulations.report import robust, splits, summary
from simulations.report.by_data_set import by_data_set
from simulations.report.run_data import RunData, read_run

MakeRun = Callable[..., Path]
ATTACK = "pgd-10 eps=4/255"


@pytest.fixture
def run(make_run: MakeRun, tmp_path: Path) -> RunData:
    """Means from the fixture, and splits of the data sets "a" and "b-a" beside them."""
    folder = make_run(tmp_path / "run", config={"dataset": "a,b-a"}, attack=ATTACK)
    values = {"local-a": 0.9, "local-b-a": 0.7, "base-a": 0.6, "base-b-a": 0.5, "new-a": 0.4}
    with (folder / "metrics.csv").open("a", encoding="utf-8") as file:
        for split, value in values.items():
            file.write(f"0,{split},zero-shot-accuracy,{value - 0.1}\n20,{split},accuracy,{value}\n")
            file.write(f"20,{split},robust-accuracy[{ATTACK}],{value / 2}\n")
            file.write(f"20,{split},attacked-images,7\n")
    return read_run(folder)


def test_the_head_of_the_page_is_of_the_means(run: RunData) -> None:
    found = {result.split: result.meaning for result in summary.results(run)}
    assert list(found) == ["harmonic-mean", "local", "base", "new"]
    assert found["harmonic-mean"].startswith("one number for the three beside it")
    assert found["new"] == "classes that no client has ever seen, mean over the data sets"


def test_each_data_set_has_a_row(run: RunData) -> None:
    table = by_data_set(run, robust.run_attack(run))
    assert table is not None
    assert table.titles == ["Local", "Base", "New"]
    rows = {
        name: [(cell.zero_shot, cell.tuned, cell.robust) for cell in cells]
        for name, cells in table.rows
    }
    assert list(rows) == ["a", "b-a"]
    assert rows["a"] == [pytest.approx((v - 0.1, v, v / 2)) for v in (0.9, 0.6, 0.4)]
    assert rows["b-a"][:2] == [pytest.approx((v - 0.1, v, v / 2)) for v in (0.7, 0.5)]
    assert rows["b-a"][2][0] != rows["b-a"][2][0], "not measured"


def test_classes_are_called_by_their_own_names(run: RunData) -> None:
    assert splits.plain_class(run, "b-a/x/y") == "x/y"
    assert splits.plain_class(run, "c/x") == "c/x"


def test_one_data_set_has_no_such_table(make_run: MakeRun, tmp_path: Path) -> None:
    run = read_run(make_run(tmp_path / "run"))
    assert by_data_set(run, None) is None
    assert splits.plain_class(run, "emojidomains/x") == "emojidomains/x"


def test_the_mean_over_targets_leads_where_there_are_several(
    make_run: MakeRun, tmp_path: Path
) -> None:
    folder = make_run(tmp_path / "run", config={"setting": "ssmt"})
    metrics = folder / "metrics.csv"
    metrics.write_text(
        "round,split,metric,value\n"
        "3,source,accuracy,0.9\n3,target-noto,accuracy,0.4\n3,target-mean,accuracy,0.4\n"
    )
    found = summary.results(read_run(folder))
    assert [result.split for result in found] == ["target-mean", "source", "target-noto"]
    assert "local" not in found[0].meaning
    assert summary.verdict(found) == "Mean over targets accuracy after round 3 is 40.0 %."


@pytest.mark.parametrize(
    ("setting", "said"), [("gzsl", "seen and unseen"), ("base-to-new", "the three beside it")]
)
def test_a_harmonic_mean_says_what_it_is_of(
    make_run: MakeRun, tmp_path: Path, setting: str, said: str
) -> None:
    run = read_run(make_run(tmp_path / "run", config={"setting": setting}))
    assert said in splits.meanings(run)["harmonic-mean"]
