"""`fedmvp bench`: its turns, its numbers, its files, and what it refuses."""

import json
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fedmvp_core.errors import DataError
from fedmvp_core.registry import METHODS, find, names_in
from simulations.bench import methods
from simulations.bench.inputs import Inputs
from simulations.bench.paired import ratios, spread, take_turns
from simulations.bench.parts import LONGER, USUAL, module_of
from simulations.bench.record import FORMAT, Measured, Record, read_record, write_record
from simulations.bench.sizes import chosen_sizes
from simulations.bench.tables import comparison, markdown, rows
from simulations.cli import app


def bench(*words: str):
    return CliRunner().invoke(app, ["bench", *words], terminal_width=100)


def part(**more) -> Measured:
    values = {"floor": [1.0, 2.0, 3.0], "ours": [2.0, 4.0, 12.0]}
    return Measured(**{"part": "step", "title": "a step", "unit": "s", "base": "floor",
                       "values": values, **more})  # fmt: skip


def record(*parts: Measured) -> Record:
    machine = {"device": "CPU", "torch": "2", "commit": "abc", "fedmvp": "1", "command": "bench"}
    return Record(machine, list(parts))


def test_turns_are_paired_and_their_order_turns_round() -> None:
    order: list[str] = []
    settled: list[int] = []
    sides = {name: (lambda name=name: order.append(name)) for name in "AB"}
    seconds = take_turns(sides, 3, lambda: settled.append(len(order)))
    assert "".join(order) == "AB" + "AB" + "BA" + "AB"  # the first warms up
    assert {name: len(values) for name, values in seconds.items()} == {"A": 3, "B": 3}
    assert settled == [2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8]


def test_ratios_are_those_within_a_turn() -> None:
    found = ratios(part().values, "floor")["ours"]
    assert (found.median, found.low, found.high) == (2.0, 2.0, 3.0)
    assert spread([4.0, 1.0, 3.0, 2.0, 5.0]).low == 2.0
    assert ratios({"a": [0.0], "b": [1.0]}, "a") == {}


def test_a_table_has_rates_ratios_and_facts_of_sides() -> None:
    measured = part(images=8, facts={"bytes": {"floor": 1000, "ours": 20}, "other": {"x": 1}})
    assert rows(measured) == [
        ["floor", "2", "1.5 to 2.5", "4.0", "1.00 (1.00 to 1.00)", "1,000"],
        ["ours", "4", "3 to 8", "2.0", "2.00 (2.00 to 3.00)", "20"],
    ]
    assert "| ours | 4 | 3 to 8 | 2.0 | 2.00 (2.00 to 3.00) | 20 |" in markdown(record(measured))


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.json"
    write_record(path, record(part(fault="it grows")))
    assert read_record(path) == record(part(fault="it grows"))
    assert json.loads(path.read_text())["parts"][0]["spread"]["ours"]["median"] == 4.0


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"format": 99}', '{"format": 1, "machine": 1}'])
def test_what_is_no_record_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(DataError, match=r"a\.json"):
        read_record(path)
    assert FORMAT == 1


def test_a_comparison_has_the_parts_of_both() -> None:
    faster = part(values={"floor": [1.0] * 3, "ours": [1.0, 1.1, 1.2]})
    (table,) = comparison(record(part()), record(faster, part(part="wire", title="w")))
    assert [list(column.cells) for column in table.columns][1:5] == [
        ["2", "4"],
        ["1", "1.1"],
        ["0.50", "0.28"],
        ["yes", "yes"],
    ]
    with pytest.raises(DataError, match="no part in common: step; and wire"):
        comparison(record(part()), record(part(part="wire", title="w")))


def test_a_step_of_every_method_that_trains() -> None:
    (found,) = methods.measure(Inputs(chosen_sizes(quick=True, turns=1, batch=2)))
    trained = {name for name in names_in(METHODS) if find(METHODS, name).objective is not None}
    assert set(found.values) == trained
    assert all(seconds > 0 for values in found.values.values() for seconds in values)


def test_every_part_has_a_module_and_is_in_the_help() -> None:
    shown = bench("--help").output
    for name in (*USUAL, *LONGER):
        assert Path(f"{module_of(name).replace('.', '/')}.py").is_file(), name
        assert name in shown
    assert len(shown.splitlines()) < 45


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["stp"], "part is 'stp'; did you mean step"),
        (["nothing"], "part is 'nothing'; known: attack, cohort, crops"),
        (["wire", "rounds=3"], "'rounds=3' is read by none of the parts wire"),
        (["round", "roundz=3"], "unknown run-config key 'roundz'"),
        (["memory", "--clients", "8,x"], "clients is '8,x'; allowed: whole numbers"),
        (["--show", "nowhere.json"], "nowhere.json is no JSON of fedmvp bench"),
    ],
)
def test_what_cannot_be_measured_is_refused(words: list[str], sentence: str) -> None:
    result = bench(*words)
    assert sentence in result.output.replace("\n", " ")
    assert result.exit_code in (1, 2)


def test_the_example_of_the_help_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = " ".join(bench("--help").output.split())
    example = re.search(r"Example: fedmvp (bench .*?\.json)", shown)
    assert example is not None
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, shlex.split(example[1]))
    assert result.exit_code == 0, result.output
    found = read_record(tmp_path / "step.json")
    assert [p.title for p in found.parts] == ["a step of fedmvp", "a step of fedmvp-capt"]
    assert all(len(v) == 2 for p in found.parts for v in p.values.values())
    assert found.machine["command"].split()[0] == "fedmvp"
    assert "| as-released |" in bench("--show", "step.json").output
    compared = bench("--compare", "step.json", "step.json").output
    assert "1.00" in compared
