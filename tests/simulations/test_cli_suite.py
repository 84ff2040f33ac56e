"""Suites: which runs are started, which are not, and the table they make."""

import csv
import io
import json

import pytest
from rich.console import Console

from fedmvp_core.errors import ConfigError
from simulations import suite
from simulations.runner.run_folder import run_folder
from simulations.runner.simulate import RunOutcome

SUITE = """
description = "two methods"
supernodes = 2
seeds = [1, 2]
[config]
rounds = 3
[runs.tuned]
[runs.frozen.config]
method = "zs-clip"
"""


@pytest.fixture
def suite_file(tmp_path):
    path = tmp_path / "pair.toml"
    path.write_text(SUITE)
    return str(path)


@pytest.fixture
def engine(monkeypatch):
    """Runs write a tuned accuracy of 0.5 + seed / 10; `broken` names those that fail."""

    class Engine:
        def __init__(self) -> None:
            self.started: list[str] = []
            self.ends: dict[str, str] = {}
            self.headline = "accuracy"

        def __call__(self, plan, console):
            config = plan.config
            self.started.append(config.run_name)
            folder = run_folder(config)
            folder.mkdir(parents=True, exist_ok=True)
            status = self.ends.get(config.run_name, "completed")
            (folder / "config.json").write_text(json.dumps({**config.as_mapping(), "clients": 2}))
            (folder / "status.json").write_text(json.dumps({"status": status}))
            attack = "robust-accuracy[pgd-10 eps=4/255]"
            rows = f"0,base,zero-shot-accuracy,0.5\n3,base,accuracy,{0.5 + config.seed / 10}\n"
            rows += f"0,base,zero-shot-{attack},0.2\n3,base,{attack},{0.2 + config.seed / 10}\n"
            rows = "round,split,metric,value\n" + rows.replace("accuracy", self.headline)
            (folder / "metrics.csv").write_text(rows)
            error = None if status == "completed" else "it broke"
            return RunOutcome(folder, status, error, 3, 1.0)

    made = Engine()
    monkeypatch.setattr(suite, "run_plan", made)
    return made


def run(suite_file, tmp_path, seeds=()):
    console = Console(file=io.StringIO(), width=200)
    code = suite.run_suite(console, suite_file, seeds, tmp_path / "out")
    return code, console.file.getvalue()


def test_each_run_and_seed_and_the_table(suite_file, tmp_path, engine):
    code, said = run(suite_file, tmp_path)
    assert code == 0
    names = ("tuned-seed1", "tuned-seed2", "frozen-seed1", "frozen-seed2")
    assert engine.started == [f"pair-{name}" for name in names]
    for row in (
        "| tuned | clean | base | 2 | 50.0 % | 65.0 % | 60.0 % .. 70.0 % | +15.0 |",
        "| tuned | pgd-10 eps=4/255 | base | 2 | 20.0 % | 35.0 % | 30.0 % .. 40.0 % | +15.0 |",
        "| tuned | mean of both | base | 2 | 35.0 % | 50.0 % | 45.0 % .. 55.0 % | +15.0 |",
    ):
        assert row in said
        assert row in (tmp_path / "out" / "pair.md").read_text()
    with (tmp_path / "out" / "pair.csv").open(newline="") as stream:
        table = list(csv.reader(stream))
    assert tuple(table[0]) == suite.COLUMNS
    assert table[1] == [
        "tuned",
        "clean",
        "base",
        "2",
        "50.0 %",
        "65.0 %",
        "60.0 % .. 70.0 %",
        "+15.0",
    ]


def test_map_stands_under_its_own_name(suite_file, tmp_path, engine):
    engine.headline = "map"
    said = run(suite_file, tmp_path)[1]
    for kind in ("clean", "pgd-10 eps=4/255", "mean of both"):
        assert f"| tuned | map, {kind} | base | 2 |" in said


def test_what_is_done_is_not_run_again(suite_file, tmp_path, engine):
    run(suite_file, tmp_path)
    engine.started.clear()
    code, said = run(suite_file, tmp_path, ["1", "2,3"])
    assert code == 0
    assert engine.started == ["pair-tuned-seed3", "pair-frozen-seed3"]
    assert "pair-tuned-seed1 is done already" in said


def test_another_config_is_run_again(suite_file, tmp_path, engine):
    run(suite_file, tmp_path, ["1"])
    changed = tmp_path / "pair.toml"
    changed.write_text(SUITE.replace("rounds = 3", "rounds = 4"))
    engine.started.clear()
    run(str(changed), tmp_path, ["1"])
    assert engine.started == ["pair-tuned-seed1", "pair-frozen-seed1"]


def test_a_key_that_is_younger_than_a_run_had_its_default(suite_file, tmp_path, engine):
    run(suite_file, tmp_path, ["1"])
    path = tmp_path / "out" / "pair-tuned-seed1" / "config.json"
    saved = json.loads(path.read_text())
    del saved["momentum"]
    path.write_text(json.dumps(saved))
    engine.started.clear()
    run(suite_file, tmp_path, ["1"])
    assert engine.started == []
    changed = tmp_path / "pair.toml"
    changed.write_text(SUITE.replace("rounds = 3", "rounds = 3\nmomentum = 0.5"))
    run(str(changed), tmp_path, ["1"])
    assert engine.started == ["pair-tuned-seed1", "pair-frozen-seed1"]


def test_a_failed_run_does_not_stop_the_others(suite_file, tmp_path, engine):
    engine.ends["pair-tuned-seed1"] = "failed"
    code, said = run(suite_file, tmp_path)
    assert code == 1
    assert len(engine.started) == 4
    assert "pair-tuned-seed1: it broke" in said
    assert "| tuned | clean | base | 1 |" in said


def test_an_interrupt_stops_the_suite(suite_file, tmp_path, engine):
    engine.ends["pair-tuned-seed2"] = "interrupted"
    code, _ = run(suite_file, tmp_path)
    assert code == 130
    assert engine.started == ["pair-tuned-seed1", "pair-tuned-seed2"]


def test_nothing_starts_when_one_run_is_wrong(suite_file, tmp_path, engine):
    (tmp_path / "pair.toml").write_text(SUITE + "shots = -1\n")
    with pytest.raises(ConfigError, match="shots is -1"):
        run(suite_file, tmp_path)
    assert engine.started == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "lists no runs"),
        ("round = 1\n[runs.a]", "unknown key 'round'"),
        ("=", "cannot be read"),
    ],
)
def test_bad_suite_file(tmp_path, text, sentence):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=sentence):
        suite.load_suite(str(path))


def test_shipped_suites_are_valid():
    loaded = suite.load_suite("baselines")
    assert [suite.plan_run(run, {}, 6 if not run.supernodes else None) for run in loaded.runs]


def test_ceilings_stand_under_the_run_that_is_pooled(tmp_path, engine, monkeypatch):
    from simulations import ceilings

    asked = []

    def reached(config, clients):
        asked.append((config.seed, clients))
        return {"linear-probe": {"base": 0.9}, "fine-tuned": {"base": 0.8, "other": 0.1}}

    monkeypatch.setattr(ceilings, "ceilings", reached)
    path = tmp_path / "pooled.toml"
    path.write_text(SUITE.replace("[config]", 'ceilings = "tuned"\n[config]', 1))
    for _ in range(2):  # the second time they are read from the run folders
        console = Console(file=io.StringIO(), width=200)
        assert suite.run_suite(console, str(path), [], tmp_path / "runs") == 0
        assert (
            "| fine-tuned, pooled | clean | base | 2 | 50.0 % | 80.0 %" in console.file.getvalue()
        )
    assert asked == [(1, 2), (2, 2)]


def test_ceilings_of_an_unknown_run_are_refused(tmp_path, engine):
    path = tmp_path / "pooled.toml"
    path.write_text(SUITE.replace("[config]", 'ceilings = "tunned"\n[config]', 1))
    with pytest.raises(ConfigError, match="ceilings is 'tunned'; its runs: tuned, frozen"):
        suite.run_suite(Console(file=io.StringIO()), str(path), [], tmp_path / "runs")
