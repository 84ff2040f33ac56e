"""`fedmvp compare`: what it finds in run folders, prints, writes and refuses."""

import json
import math
import re
import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from click.testing import Result
from made_runs import write_run
from typer.testing import CliRunner

from fedmvp_core.errors import ConfigError
from fedmvp_core.run_folder import read_metrics
from simulations import cli
from simulations.compare.chosen import check_output, chosen_runs
from simulations.compare.curves import looks
from simulations.compare.differences import configuration_rows, other_pictures, version_rows
from simulations.compare.numbers import cost_rows, metric_words, number_rows
from simulations.compare.page import render
from simulations.report.run_data import RunData, read_run

STRONG, WEAK = "pgd-10 eps=4/255", "pgd-10 eps=1/255"


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """runs/ in the working directory: one, two (another method, an attack of its own), broken."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "runs"
    write_run(folder / "one", attack=STRONG)
    write_run(
        folder / "two",
        attack=WEAK,
        done=11,
        status="interrupted",
        clients=5,
        config={"method": "capt", "run-name": "two", "extra-key": 1, "output-dir": "/elsewhere"},
    )
    return folder


def compared(*words: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(cli.app, ["compare", *words])


def read(folder: Path, *names: str) -> dict[str, RunData]:
    return {name: read_run(folder / name) for name in names}


# --- what is read


def test_only_the_keys_that_differ_are_shown(runs: Path) -> None:
    rows = configuration_rows(list(read(runs, "one", "two").values()))
    assert rows == [("method", ["fedmvp", "capt"]), ("clients", ["6", "5"])]


def test_a_key_that_one_run_lacks_counts_if_the_others_differ(runs: Path) -> None:
    write_run(runs / "three", config={"extra-key": ""})
    rows = dict(configuration_rows(list(read(runs, "one", "two", "three").values())))
    assert rows["extra-key"] == ["–", "1", '""']


def test_versions_that_differ(runs: Path) -> None:
    path = runs / "two" / "environment.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"torch": "2.9.0", "seconds": 1}))
    assert version_rows(list(read(runs, "one", "two").values())) == [("torch", ["2.15.0", "2.9.0"])]


def last(folder: Path, split: str, metric: str) -> float:
    found = [
        (r, value)
        for r, s, m, value in read_metrics(folder / "metrics.csv")
        if (s, m) == (split, metric)
    ]
    return max(found)[1] if found else math.nan


def test_the_numbers_are_the_last_of_metrics_csv(runs: Path) -> None:
    rows = number_rows(list(read(runs, "one", "two").values()))
    assert {row.split for row in rows} == {"harmonic-mean", "local", "base", "new"}
    assert [row.metric for row in rows if row.split == "base"] == [
        "accuracy",
        "zero-shot-accuracy",
        f"robust-accuracy[{STRONG}]",
        f"zero-shot-robust-accuracy[{STRONG}]",
        f"robust-accuracy[{WEAK}]",
    ]
    for row in rows:
        wanted = [last(runs / name, row.split, row.metric) for name in ("one", "two")]
        assert row.values == pytest.approx(wanted, nan_ok=True)
    (clean,) = [row for row in rows if (row.split, row.metric) == ("base", "accuracy")]
    assert clean.change(1) == pytest.approx(100 * (clean.values[1] - clean.values[0]))


def test_what_the_rounds_took(runs: Path) -> None:
    costs = dict(cost_rows(list(read(runs, "one", "two").values())))
    assert costs["status"] == ["completed", "interrupted"]
    assert costs["rounds"] == ["20 of 20", "11 of 20"]
    assert costs["sent up"] == ["128 MB", "104 MB"]
    assert costs["train loss"][0] == f"{last(runs / 'one', 'train', 'loss'):.4f}"


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        ("accuracy", "accuracy"),
        ("zero-shot-map", "mAP, zero-shot"),
        ("robust-map[fgsm-1 eps=0.1]", "mAP under FGSM, 1 step, ε = 0.1"),
        (
            f"zero-shot-robust-accuracy[{STRONG}]",
            "accuracy under PGD, 10 steps, ε = 4/255, zero-shot",
        ),
    ],
)
def test_metrics_in_words(metric: str, words: str) -> None:
    assert metric_words(metric) == words


def test_splits_of_other_pictures_are_told(runs: Path) -> None:
    for name, of_new in (("one", "aa"), ("two", "bb")):
        splits = {"base": {"sha256": "00"}, "new": {"sha256": of_new}}
        (runs / name / "splits.json").write_text(json.dumps(splits))
    said = other_pictures(read(runs, "one", "two"))
    assert said == ["split 'new' is of other pictures or labels: one | two"]
    result = compared("one", "two")
    assert said[0] in result.output
    assert said[0].replace("'", "&#39;") in Path("comparison.html").read_text(encoding="utf-8")


# --- the page and the terminal


def test_it_prints_and_writes_a_page(runs: Path) -> None:
    result = compared("one", "two", "--output", "page.html")
    assert result.exit_code == 0, result.output
    for words in ("what differs", "capt", "49.7 %", "48.9 % (-0.8)", "under PGD", "interrupted"):
        assert words in result.output
    assert str(Path("page.html").absolute()) in result.output
    page = Path("page.html").read_text(encoding="utf-8")
    for words in ("2 runs side by side", "capt", "49.7", "−0.8", "Base: accuracy."):
        assert words in page
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page), "it stands alone"
    assert page.count("<svg") == 4 + 2 * 4 + 1  # clean, under either attack, the loss


def test_charts_are_whole_and_have_no_ids_in_common(runs: Path) -> None:
    page = render(read(runs, "one", "two"))
    charts = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    for chart in charts:
        ElementTree.fromstring(chart.replace("xlink:href", "href"))
    ids = [name for chart in charts for name in re.findall(r'\bid="([^"]+)"', chart)]
    assert len(ids) == len(set(ids))


def test_each_run_has_a_line_and_a_number_of_its_own(runs: Path) -> None:
    page = render(read(runs, "one", "two"))
    chart = next(c for c in re.findall(r"<svg.*?</svg>", page, re.DOTALL) if "Base: acc" in c)
    assert "1: 49.7" in chart
    assert "2: 48.9" in chart
    assert len({(look.colour, look.line) for look in looks(15)}) == 15


def test_names_are_escaped(runs: Path) -> None:
    odd = "<b>&$1"
    shutil.copytree(runs / "one", runs / odd)
    page = render(read(runs, "two", odd))
    assert "<b>&$1" not in page
    assert "&lt;b&gt;&amp;$1" in page


def test_equal_runs_of_other_lengths(runs: Path) -> None:
    """Nothing differs, and a run that was only begun has a table and no curve of its own."""
    write_run(runs / "begun", done=0, status="running", attack=STRONG)
    result = compared("one", "begun")
    assert result.exit_code == 0, result.output
    assert "no key of the configuration and no version differs" in result.output


def test_runs_of_different_settings(runs: Path) -> None:
    write_run(runs / "msst", setting="msst", clients=4)
    result = compared("one", "msst")
    assert result.exit_code == 0, result.output
    assert "target" in result.output
    assert "harmonic-mean" in result.output


def test_a_real_run_beside_a_copy(attacked_run: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(attacked_run, other)
    result = compared(str(attacked_run), str(other), "--output", str(tmp_path / "page.html"))
    assert result.exit_code == 0, result.output
    assert "(+0.0)" in result.output
    assert (tmp_path / "page.html").stat().st_size > 10_000


# --- names, and what is refused


def test_runs_of_one_name_are_called_as_they_are_written(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "one", tmp_path / "later" / "one")
    assert list(chosen_runs(["one", "later/one"], Path("runs"))) == ["one", "later/one"]
    assert list(chosen_runs(["runs/one", "two"], Path("runs"))) == ["one", "two"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "no run is named; allowed: two runs or more"),
        (["one"], "'one' is one run; allowed: two runs or more"),
        (["one", "tow"], "no run 'tow'; did you mean two"),
        (["one", "nothing"], "no run 'nothing'; known: empty, one, two"),
        (["one", "one"], "'one' and 'one' are the same run"),
        (["one", "two", "runs/one/"], "'runs/one/' and 'one' are the same run"),
        (["one", "link"], "'link' and 'one' are the same run"),
        (["one", "empty"], "run 'empty' has measured nothing yet"),
        (["one", "."], "holds no run"),
        (["one", "two", "--output", "page.txt"], "output is 'page.txt'; allowed: a file that ends"),
        (["one", "two", "--output", "no/page.html"], "is in a folder that is not there"),
        (["one", "two", "--output", "folder.html"], "which is a folder"),
    ],
)
def test_what_cannot_be_compared_is_named(
    runs: Path, tmp_path: Path, words: list[str], sentence: str
) -> None:
    (runs / "empty").mkdir()
    (runs / "empty" / "config.json").write_text("{}")
    (tmp_path / "link").symlink_to(runs / "one")
    (tmp_path / "folder.html").mkdir()
    result = compared(*words)
    assert result.exit_code == 2
    assert sentence in " ".join(result.output.split())
    assert not (tmp_path / "comparison.html").exists()


def test_a_damaged_table_is_named(runs: Path) -> None:
    (runs / "two" / "metrics.csv").write_text("round,split,metric,value\none,base,accuracy,0.5\n")
    result = compared("one", "two")
    assert result.exit_code == 1
    assert "metrics.csv' cannot be read as a table" in result.output


def test_output_is_looked_at_early() -> None:
    with pytest.raises(ConfigError, match="a file that ends in"):
        check_output(Path("x"))
