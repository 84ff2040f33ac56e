"""The report of a run on images with several labels: mAP under its own name, and no accuracy."""

import re

import pytest

from simulations.report import robust, summary, write_report
from simulations.report.run_data import read_run

ATTACK = "pgd-10 eps=4/255"


@pytest.fixture
def folder(make_run, tmp_path):
    """A run whose accuracies are mAPs, and whose classes have average precisions."""
    path = make_run(tmp_path / "run", setting="msst", attack=ATTACK)
    for name, old, new in (
        ("metrics.csv", r"accuracy", "map"),
        ("classes.csv", r"accuracy", "average_precision"),
        ("progress.jsonl", r'"event": "evaluation"', '"event": "evaluation", "metric": "map"'),
    ):
        text = (path / name).read_text(encoding="utf-8")
        assert re.search(old, text)
        (path / name).write_text(re.sub(old, new, text), encoding="utf-8")
    return path


def test_results_are_maps(folder):
    run = read_run(folder)
    assert (run.headline, run.measure) == ("map", "mAP")
    found = summary.results(run)
    assert [result.split for result in found] == ["source", "target"]
    assert found[1].tuned == pytest.approx(0.31 + 0.052)
    assert found[1].zero_shot == 0.31
    assert not found[1].images, "the interval of an accuracy says nothing of mAP"
    attack = robust.run_attack(run)
    assert attack.metric == f"robust-map[{ATTACK}]"
    assert attack.results[1].robust == pytest.approx(0.4 * 0.362)


def test_a_page_that_never_speaks_of_accuracy(folder):
    page = write_report(folder).read_text(encoding="utf-8")
    text = " ".join(re.sub(r"<style>.*?</style>|<[^>]*>", " ", page, flags=re.DOTALL).split())
    assert "Target mAP after round 20 is 36.2 %: 5.2 points above" in text
    assert "target mAP is 14.5 %" in text
    assert "average precision on the target classes, %" in page
    shown = re.sub(r"The command.*", "", text)
    assert not re.findall(r".{30}accurac.{30}", shown, flags=re.IGNORECASE)


def test_an_unfinished_run_is_read_from_its_events(folder):
    (folder / "metrics.csv").unlink()
    run = read_run(folder)
    assert run.headline == "map"
    assert summary.results(run)[1].tuned == pytest.approx(0.362)
