import re

import numpy as np
import pytest

from simulations.report import robust, robust_figures, write_report
from simulations.report.run_data import read_run

ATTACK = "pgd-10 eps=4/255"
SPOKEN = "PGD, 10 steps, ε = 4/255"


@pytest.fixture
def attacked(make_run, tmp_path):
    """Reads a run that was attacked; keywords as make_run's."""
    return lambda **options: read_run(make_run(tmp_path / "run", attack=ATTACK, **options))


def words(path) -> str:
    text = re.sub(r"<style>.*?</style>|<[^>]*>", " ", path.read_text(), flags=re.DOTALL)
    return " ".join(text.split())


def test_results_hold_clean_and_robust_of_each_split(attacked):
    found = robust.run_attack(attacked())
    assert found.metric == f"robust-accuracy[{ATTACK}]"
    assert [r.clean.split for r in found.results] == ["harmonic-mean", "local", "base", "new"]
    base = found.results[2]
    assert (base.round, base.images) == (20, 300)
    assert base.robust == pytest.approx(0.4 * 0.497)
    assert base.zero_shot == pytest.approx(0.3 * 0.402)
    assert base.change == pytest.approx(100 * (0.4 * 0.497 - 0.3 * 0.402))
    assert base.trend == "above"
    assert (found.whole, found.subset, found.own) == ({20}, 64, 11)


def test_a_run_that_was_not_attacked_has_none(make_run, tmp_path):
    assert robust.run_attack(read_run(make_run(tmp_path / "run"))) is None


def test_an_unfinished_run_claims_no_round_on_all_images(attacked):
    found = robust.run_attack(attacked(done=7, status="failed"))
    assert (found.whole, found.subset) == (frozenset(), 64)
    assert {result.trend for result in found.results} == {"unknown"}
    assert robust.verdict(found) == f"Under attack ({SPOKEN}) harmonic mean accuracy is 20.3 %."


def test_rounds_with_as_many_images_as_the_last_are_whole(attacked):
    run = attacked()
    rows = run.metrics["metric"] == "attacked-images"
    run.metrics.loc[rows, "value"] = 300.0
    found = robust.run_attack(run)
    assert (found.whole, found.subset, found.own) == ({0, 5, 10, 15, 20}, 0, 0)


def test_the_page_says_on_how_many_images_the_last_attack_was(make_run, tmp_path):
    config = {"robust-last-images": 300}
    shown = words(write_report(make_run(tmp_path / "run", attack=ATTACK, config=config)))
    assert "zero-shot CLIP, were attacked on 300 of each split, or all that it has" in shown


def test_the_verdict_is_of_the_target_where_there_is_one(attacked):
    sentence = robust.verdict(robust.run_attack(attacked(setting="msst")))
    assert sentence == (
        f"Under attack ({SPOKEN}) target accuracy is 14.5 %: 5.2 points above the frozen model "
        "under an attack of its own (9.3 %)."
    )


def test_the_page_shows_robust_beside_clean_and_names_the_attack(make_run, tmp_path):
    path = write_report(make_run(tmp_path / "run", attack=ATTACK))
    shown = words(path)
    for sentence in (
        f"under {SPOKEN} 20.8 % +6.5 points zero-shot 14.3 %",
        "In the rounds before the last, 64 pictures of each split (and 11 of each client's own",
        "the last round, and zero-shot CLIP, were attacked on all of them",
        f"( robust-accuracy[{ATTACK}] )",
        "Base 40.2 49.7 +9.5 12.1 19.9 +7.8 300",
        f"Base: clean accuracy, and robust accuracy after {SPOKEN}",
        f"New: alignment of clean pictures, and of the same after {SPOKEN}",
    ):
        assert sentence in shown
    # Ten charts without attack; three of accuracy (local, base, new), two of alignment.
    assert path.read_text().count("<svg") == 15
    ids = re.findall(r' id="([^"]+)"', path.read_text())
    assert len(ids) == len(set(ids)) > 0


def test_source_and_target_have_charts_too(attacked):
    run = attacked(setting="msst", done=5)
    charts = robust_figures.accuracy_charts(run, robust.run_attack(run))
    assert [split for split, _ in charts] == ["source", "target"]


def test_what_was_not_measured_leaves_no_hole(make_run, tmp_path):
    shown = words(write_report(make_run(tmp_path / "run")))
    for word in ("attack", "robust", "alpha_cons", "Attacked", "alignment"):
        assert word not in shown.partition("How to repeat it")[0]


def test_progress_stands_in_for_robust_metrics(make_run, tmp_path):
    folder = make_run(tmp_path / "run", attack=ATTACK, done=6, status="failed")
    table = read_run(folder)
    (folder / "metrics.csv").unlink()
    metric = f"robust-accuracy[{ATTACK}]"
    assert read_run(folder).series("base", metric).tolist() == table.series("base", metric).tolist()


@pytest.mark.parametrize(
    ("keys", "strategy"),
    [
        ({"alpha-cons": "confidence"}, "confidence , decided for each sample"),
        (
            {"objective-options": "alpha-cons=constant alpha-cons-per=batch"},
            "constant , decided for each batch",
        ),
        ({}, "ce-ratio , decided for each sample"),
    ],
)
def test_alpha_cons_is_shown_without_an_attack_in_evaluation(make_run, tmp_path, keys, strategy):
    folder = make_run(tmp_path / "run", clients=5, alpha_cons=True, config=keys)
    shown = words(write_report(folder))
    assert f"The strategy here was {strategy}" in shown
    assert "Under attack" not in shown
    first = np.mean([0.8 - 0.01 * (3 + index) / 2 for index in range(5)])
    assert f"On average it was {first:.3f} in the first round" in shown


def test_the_mean_line_weighs_clients_alike_however_many_steps_they_take(make_run, tmp_path):
    steps = read_run(make_run(tmp_path / "run", clients=2, done=1, alpha_cons=True)).steps
    own = steps[steps["metric"] == "alpha-cons"].copy()
    constant = {"client-000": 0.2, "client-001": 0.6}
    own["value"] = own["split"].map(constant)
    lines = robust_figures.client_lines(own)
    assert [line.shape[1] for _, line in lines] == [4, 5]
    places, mean = robust_figures.mean_line(lines)
    assert mean == pytest.approx([0.4] * 5)
    assert places == pytest.approx([0.1, 0.3, 0.5, 0.7, 0.9])


def test_thinning_keeps_the_mean_and_the_ends():
    line = np.stack([np.arange(100.0), np.linspace(0, 1, 100)])
    thinned = robust_figures.thinned(line, every=10)
    assert thinned.shape == (2, 10)
    assert thinned.mean(axis=1) == pytest.approx(line.mean(axis=1))
    assert robust_figures.thinned(line, every=1) == pytest.approx(line)
