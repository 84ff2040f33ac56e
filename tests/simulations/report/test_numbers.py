import math

import pytest

from simulations.report import bars, drawing, figures, page, summary
from simulations.report.run_data import read_run


def test_the_interval_follows_the_number_of_pictures():
    result = summary.Result("base", 5, tuned=0.5, zero_shot=0.4, images=400)
    assert result.margin == pytest.approx(4.9)
    assert result.change == pytest.approx(10)


@pytest.mark.parametrize(
    ("tuned", "trend"), [(0.5, "equal"), (0.5004, "equal"), (0.501, "above"), (0.499, "below")]
)
def test_what_rounds_to_no_difference_is_none(tuned, trend):
    assert summary.Result("base", 1, tuned, 0.5, 0).trend == trend


def test_an_unknown_zero_shot_claims_nothing():
    result = summary.Result("base", 1, 0.5, math.nan, 0)
    assert result.trend == "unknown"
    assert summary.verdict([result]) == "Base accuracy after round 1 is 50.0 %."


def test_a_run_below_zero_shot_is_called_so():
    sentence = summary.verdict([summary.Result("target", 3, 0.30, 0.35, 0)])
    assert "30.0 %: 5.0 points below the frozen model without any tuning (35.0 %)" in sentence


def test_totals_add_all_rounds(make_run, tmp_path):
    found = summary.totals(read_run(make_run(tmp_path / "run")))
    assert found["bytes-up"] == 6 * (11 * 1_900_000 + 9 * 42_000)
    assert found["failed-clients"] == 1


def test_clients_in_a_later_phase_are_counted_by_round(make_run, tmp_path):
    counts = summary.later_phase_clients(read_run(make_run(tmp_path / "run", lora_from=12)))
    assert counts[11] == 0
    assert counts[12] == 6


def test_client_rows_join_shards_and_accuracies(make_run, tmp_path):
    rows = summary.client_rows(read_run(make_run(tmp_path / "run", clients=3)))
    assert [row.name for row in rows] == ["client 0", "client 1", "client 2"]
    assert sum(row.pictures for row in rows) == 17 * 8
    assert all(0 < row.zero_shot < 1 for row in rows)


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (36_864, "36.9 kB"),
        (39_383_040, "39.4 MB"),
        (999_900, "1 MB"),
        (2e9, "2 GB"),
    ],
)
def test_bytes_in_words(count, words):
    assert figures.bytes_text(count) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(4.21, "4.2 s"), (42, "42 s"), (100, "1 min 40 s"), (5000, "1 h 23 min")]
)
def test_durations_in_words(seconds, words):
    assert page.duration(seconds) == words


@pytest.mark.parametrize(
    ("change", "words"), [(1.25, "+1.2"), (-3, "−3.0"), (-0.01, "±0.0"), (math.nan, "–")]
)
def test_points_in_words(change, words):
    assert page.points(change) == words


def test_labels_are_moved_apart_and_keep_their_order():
    placed = drawing.spread([10.0, 11.0, 50.0], gap=18)
    assert placed[1] - placed[0] == pytest.approx(18, abs=0.1)
    assert placed[2] == 50


def test_a_loss_that_diverged_can_be_drawn(make_run, tmp_path):
    folder = make_run(tmp_path / "run", done=2)
    with (folder / "metrics.csv").open("a") as file:
        file.write("3,train,loss,nan\n4,train,loss,inf\n")
    assert figures.loss_chart(read_run(folder)) is not None


def test_of_many_classes_those_that_moved_most_are_drawn(make_run, tmp_path, monkeypatch):
    folder = make_run(tmp_path / "run")
    lines = [f"base,class {n:03d},10,0.5,{0.2 + 0.006 * n}" for n in range(100)]
    header = "split,class,images,zero_shot_accuracy,accuracy"
    (folder / "classes.csv").write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    drawn = []
    monkeypatch.setattr(bars, "compare", lambda rows, name, title: drawn.append((rows, title)))
    bars.class_chart(read_run(folder), "base", "x")
    ((rows, title),) = drawn
    assert title == "accuracy on the base classes, %: 40 of 100"
    gained, lost = [*range(99, 79, -1)], [*range(19, -1, -1)]
    assert [row.name for row in rows] == [f"class {n:03d}" for n in gained + lost]
