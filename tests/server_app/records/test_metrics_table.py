"""metrics.csv over many rounds: whole, in order, and not kept in memory."""

import csv
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fedmvp_core.errors import CheckpointError
from fedmvp_core.run_folder import METRIC_COLUMNS
from server_app.records.metrics_table import MetricsTable

ROWS = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.sampled_from(["base", 'a "b", c']),
        st.sampled_from("xy"),
        st.floats(0, 1),
    ),
    max_size=6,
)


def read(path: Path) -> list[tuple[str, ...]]:
    with path.open(newline="", encoding="utf-8") as file:
        return [tuple(row) for row in csv.reader(file)]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(ROWS, max_size=5))
def test_the_file_is_that_of_writing_all_rows_at_once(tmp_path, batches):
    path = tmp_path / "metrics.csv"
    path.unlink(missing_ok=True)
    table = MetricsTable(path)
    for rows in batches:
        for row in rows:
            table.record(*row)
        table.write()
    table.write()
    every = [row for rows in batches for row in rows]
    assert read(path) == [METRIC_COLUMNS, *(tuple(map(str, row)) for row in every)]
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_leaves_the_file_and_the_rows(tmp_path, monkeypatch):
    path = tmp_path / "metrics.csv"
    table = MetricsTable(path)
    table.record(0, "base", "accuracy", 0.5)
    table.write()
    table.record(1, "base", "accuracy", 0.6)

    def full(*_):
        raise OSError("no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("server_app.records.metrics_table._append", full)
        with pytest.raises(OSError, match="no space"):
            table.write()
    assert len(read(path)) == 2
    table.write()
    assert read(path)[-1] == ("1", "base", "accuracy", "0.6")


def test_it_knows_round_0_and_the_latest(tmp_path):
    table = MetricsTable(tmp_path / "metrics.csv")
    for round in range(4):
        assert not table.holds(round, "accuracy")
        table.record(round, "base", "accuracy", 0.5)
        table.write()
        assert table.holds(round, "accuracy")
    assert table.holds(0, "accuracy")
    assert not table.holds(3, "loss")


def test_a_later_process_goes_on_after_a_round(tmp_path):
    path = tmp_path / "metrics.csv"
    first = MetricsTable(path)
    for round in range(4):
        first.record(round, "base", "accuracy" if round < 3 else "loss", round / 4)
    first.write()
    second = MetricsTable(path)
    second.take_up(2)
    assert second.holds(2, "accuracy")
    assert second.holds(0, "accuracy")
    assert not second.holds(3, "loss")
    second.record(3, "base", "accuracy", 0.9)
    second.write()
    assert [row[0] for row in read(path)] == ["round", "0", "1", "2", "3"]
    assert read(path)[-1] == ("3", "base", "accuracy", "0.9")


def test_a_missing_table_cannot_be_taken_up(tmp_path):
    with pytest.raises(CheckpointError, match=r"metrics\.csv"):
        MetricsTable(tmp_path / "metrics.csv").take_up(3)


def test_memory_does_not_grow_with_the_rounds(tmp_path):
    table = MetricsTable(tmp_path / "metrics.csv")

    def rounds(first: int, last: int) -> None:
        for round in range(first, last):
            for client in range(50):
                table.record(round, f"client-{client:03d}", "train-loss", client + round / 7)
            table.write()

    rounds(0, 20)
    tracemalloc.start()
    rounds(20, 30)
    before, _ = tracemalloc.get_traced_memory()
    rounds(30, 130)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 20_000  # kept rows would be a megabyte
