"""Suites: which runs are started, which are not, and the table they make."""

import csv
import io
import json

import pytest
import torch
from rich.console import Console

from fedmvp_core.config import parse_config
from fedmvp_core.errors import ConfigError
from fedmvp_core.run_folder import run_folder
from server_app.records.checkpoints import save_checkpoint
from simulations.runner.project import default_config
from simulations.runner.simulate import RunOutcome
from simulations.suite import load_suite, results, running, suite_names
from simulations.suite.files import parse_seeds, with_root

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
            self.started.append(config.run.run_name)
            folder = run_folder(config.run)
            folder.mkdir(parents=True, exist_ok=True)
            status = self.ends.get(config.run.run_name, "completed")
            (folder / "config.json").write_text(json.dumps({**config.as_mapping(), "clients": 2}))
            (folder / "status.json").write_text(json.dumps({"status": status}))
            attack = "robust-accuracy[pgd-10 eps=4/255]"
            rows = f"0,base,zero-shot-accuracy,0.5\n3,base,accuracy,{0.5 + config.run.seed / 10}\n"
            rows += f"0,base,zero-shot-{attack},0.2\n3,base,{attack},{0.2 + config.run.seed / 10}\n"
            rows = "round,split,metric,value\n" + rows.replace("accuracy", self.headline)
            (folder / "metrics.csv").write_text(rows)
            error = None if status == "completed" else "it broke"
            return RunOutcome(folder, status, error, 3, 1.0)

    made = Engine()
    monkeypatch.setattr(running, "run_plan", made)
    return made


def run(suite_file, tmp_path, seeds=(), **options):
    console = Console(file=io.StringIO(), width=200)
    chosen = running.SuiteOptions(tmp_path / "out", parse_seeds(seeds), **options)
    code = running.run_suite(console, suite_file, chosen)
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
    assert tuple(table[0]) == results.COLUMNS
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


ATTACKED = """
[attacks]
names = ["pgd", "fgsm"]
epsilons = ["4/255"]
steps = 20
"""
ATTACK_ROWS = """\
split,attack,steps,epsilon,round,images,zero_shot_clean,zero_shot_robust,tuned_clean,tuned_robust
base,pgd,20,4/255,3,2,,,0.5,0.4
base,fgsm,1,4/255,3,2,,,0.5,0.45
base,worst-case,,4/255,3,2,,,0.5,0.35
"""


@pytest.fixture
def attacks(suite_file, tmp_path, monkeypatch):
    """Each completed run is attacked by writing ATTACK_ROWS; the names of the attacked."""
    path = tmp_path / "pair.toml"
    path.write_text(SUITE.replace("supernodes", "wide = true\nsupernodes") + ATTACKED)
    made = []

    def attack(console, folder, plan):
        made.append(folder.name)
        assert not plan.zero_shot
        (folder / "attacks").mkdir(exist_ok=True)
        (folder / "attacks" / f"{plan.file_stem()}.csv").write_text(ATTACK_ROWS)

    monkeypatch.setattr("simulations.attack.report.report_attacks", attack)
    return made


def test_one_row_a_run_with_the_suites_attacks(suite_file, tmp_path, engine, attacks):
    said = run(suite_file, tmp_path)[1]
    assert attacks == [f"pair-{name}-seed{seed}" for name in ("tuned", "frozen") for seed in (1, 2)]
    labels = [f"base, {a} eps=4/255" for a in ("pgd-10", "pgd-20", "fgsm", "worst-case")]
    assert f"| run | seeds | base | {' | '.join(labels)} | numbers | KB a client sends |" in said
    reached = ("65.0 % (60.0 .. 70.0)", "35.0 % (30.0 .. 40.0)", "40.0 % (40.0 .. 40.0)")
    assert f"| tuned | 2 | {' | '.join(reached)} | 45.0 % (45.0 .. 45.0) |" in said
    attacks.clear()
    run(suite_file, tmp_path)
    assert attacks == []  # their tables are there


def test_the_alarm_looks_at_each_run_once(suite_file, tmp_path, engine, monkeypatch):
    path = tmp_path / "rings.toml"
    path.write_text(SUITE + "[attacks]\nalarm = 7\n")
    asked = []

    def alarm(console, folder, plan):
        asked.append((folder.name, plan.images, plan.zero_shot, plan.budget.steps))
        rang = "frozen" in folder.name
        finding = {"check": "black-box", "split": "base", "model": "tuned", "passed": not rang}
        content = {"round": 3, "budget": {"epsilon": "4/255"}, "findings": [finding]}
        (folder / "attacks").mkdir()
        (folder / "attacks" / "alarm.json").write_text(json.dumps(content))

    monkeypatch.setattr("simulations.attack.alarm.report_alarm", alarm)
    said = run(str(path), tmp_path, ["1"])[1]
    assert asked == [(f"rings-{name}-seed1", 7, False, 10) for name in ("tuned", "frozen")]
    lines = (
        "rings-tuned-seed1: No sign of gradient masking in 1 checks (ε = 4/255, round 3).",
        "rings-frozen-seed1: Gradient masking: 1 of 1 checks rang (ε = 4/255, round 3): "
        "black-box (base, tuned). ",
    )
    for line in lines:
        assert line in said
        assert line in (tmp_path / "out" / "rings.md").read_text()
    run(str(path), tmp_path, ["1"])
    assert len(asked) == 2


def test_a_broken_off_attack_is_made_again(suite_file, tmp_path, engine, attacks):
    run(suite_file, tmp_path, ["1"])
    (table,) = (tmp_path / "out" / "pair-tuned-seed1" / "attacks").glob("*.csv")
    table.write_text(ATTACK_ROWS[: ATTACK_ROWS.index("base,fgsm")])
    attacks.clear()
    run(suite_file, tmp_path, ["1"])
    assert attacks == ["pair-tuned-seed1"]


def test_what_is_done_is_not_run_again(suite_file, tmp_path, engine):
    run(suite_file, tmp_path)
    engine.started.clear()
    code, said = run(suite_file, tmp_path, ["1", "2,3"])
    assert code == 0
    assert engine.started == ["pair-tuned-seed3", "pair-frozen-seed3"]
    assert "pair-tuned-seed1 is done already" in said


def test_only_the_table_of_what_is_done(suite_file, tmp_path, engine, attacks):
    run(suite_file, tmp_path, ["1"])
    engine.started.clear()
    attacks.clear()
    code, said = run(suite_file, tmp_path, ["1", "2"], table_only=True)
    assert code == 0
    assert engine.started == attacks == []
    assert "| tuned | 1 | 60.0 % |" in said


def test_another_config_is_run_again(suite_file, tmp_path, engine):
    run(suite_file, tmp_path, ["1"])
    changed = tmp_path / "pair.toml"
    changed.write_text(SUITE.replace("rounds = 3", "rounds = 4"))
    engine.started.clear()
    sentence = r"of another configuration: rounds \(was 3, is 4\); replace it with --overwrite"
    with pytest.raises(ConfigError, match=sentence):
        run(str(changed), tmp_path, ["1"])
    assert engine.started == []
    run(str(changed), tmp_path, ["1"], overwrite=True)
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
    run(str(changed), tmp_path, ["1"], overwrite=True)
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
        ("[runs.a]\n[attacks]\nattack = 'pgd'", "attack = 'pgd'; allowed: names .a list.,"),
        ("[runs.a]\n[attacks]\nnames = 'pgd'", "names = 'pgd'; allowed: names .a list.,"),
        ("wide = 1\n[runs.a]", "wide is 1; allowed: a bool"),
    ],
)
def test_bad_suite_file(tmp_path, text, sentence):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=sentence):
        load_suite(str(path))


def test_shipped_suites_are_valid(tmp_path):
    for name in suite_names():
        loaded = load_suite(name)
        assert loaded.description
        for entry in loaded.runs:
            run = with_root(entry.run, tmp_path)
            assert parse_config({**default_config(), **run.config, "data-dir": str(tmp_path)})


def test_ceilings_stand_under_the_run_that_is_pooled(tmp_path, engine, monkeypatch):
    from simulations.suite import ceilings

    asked = []

    def reached(config, clients):
        asked.append((config.run.seed, clients))
        return {"linear-probe": {"base": 0.9}, "fine-tuned": {"base": 0.8, "other": 0.1}}

    monkeypatch.setattr(ceilings, "ceilings", reached)
    path = tmp_path / "pooled.toml"
    path.write_text(SUITE.replace("[config]", 'ceilings = "tuned"\n[config]', 1))
    for _ in range(2):  # the second time they are read from the run folders
        console = Console(file=io.StringIO(), width=200)
        assert running.run_suite(console, str(path), running.SuiteOptions(tmp_path / "runs")) == 0
        assert (
            "| fine-tuned, pooled | clean | base | 2 | 50.0 % | 80.0 %" in console.file.getvalue()
        )
    assert asked == [(1, 2), (2, 2)]


def test_ceilings_of_an_unknown_run_are_refused(tmp_path, engine):
    path = tmp_path / "pooled.toml"
    path.write_text(SUITE.replace("[config]", 'ceilings = "tunned"\n[config]', 1))
    with pytest.raises(ConfigError, match="ceilings is 'tunned'; its runs: tuned, frozen"):
        running.run_suite(
            Console(file=io.StringIO()), str(path), running.SuiteOptions(tmp_path / "runs")
        )


GRID = """
description = "a grid"
source = "somewhere"
mean-over = "shots"
[config]
method = "fedmvp"
[runs.ours]
[grid]
shots = [1, 4]
[grid.epsilon]
eps1 = { epsilon = "1/255", supernodes = 3 }
eps4 = { epsilon = "4/255" }
[published]
ours-1-eps1.clean = { base = 50.0 }
ours-1-eps1.robust = { base = 40.0 }
ours-mean-eps4.clean = { base = 61.5 }
theirs.clean = { base = 70.25 }
"""


def rows_of(said):
    return [tuple(line.strip("| ").split(" | ")) for line in said.splitlines() if line[:1] == "|"]


def test_a_grid_is_every_combination(tmp_path):
    path = tmp_path / "grid.toml"
    path.write_text(GRID)
    runs = {entry.run.name: entry for entry in load_suite(str(path)).runs}
    assert list(runs) == ["ours-1-eps1", "ours-1-eps4", "ours-4-eps1", "ours-4-eps4"]
    assert [entry.run.supernodes for entry in runs.values()] == [3, 0, 3, 0]
    assert [entry.first for entry in runs.values()] == [True, False, False, False]
    assert runs["ours-4-eps1"].run.config["shots"] == 4
    assert runs["ours-4-eps1"].run.config["epsilon"] == "1/255"
    assert runs["ours-4-eps1"].mean == "ours-mean-eps1"


def test_published_numbers_stand_beside_ours(tmp_path, engine):
    path = tmp_path / "grid.toml"
    path.write_text(GRID)
    code, said = run(str(path), tmp_path)
    assert code == 0
    assert "published: somewhere" in said
    table = {row[:3]: row[3:] for row in rows_of(said)}
    ours = ("1", "50.0 %", "60.0 %", "60.0 % .. 60.0 %", "+10.0")
    assert table["ours-1-eps1", "clean", "base"] == (*ours, "50.0 %", "+10.0")
    assert table["ours-1-eps1", "pgd-10 eps=4/255", "base"][-2:] == ("40.0 %", "-10.0")
    assert table["ours-4-eps4", "clean", "base"] == (*ours, "-", "-")
    assert table["ours-mean-eps4", "clean", "base"] == (*ours, "61.5 %", "-1.5")
    assert table["theirs", "clean", "base"] == ("-", "-", "-", "-", "-", "70.2 %", "-")


def test_no_mean_while_a_run_of_it_is_missing(tmp_path, engine):
    path = tmp_path / "grid.toml"
    path.write_text(GRID)
    engine.ends["grid-ours-4-eps4-seed1"] = "failed"
    table = {row[:3]: row[3:] for row in rows_of(run(str(path), tmp_path)[1])}
    assert ("ours-mean-eps1", "clean", "base") in table
    assert table["ours-mean-eps4", "clean", "base"][0] == "-"


def test_a_suite_changes_the_one_that_it_extends():
    parent, child = load_suite("baselines"), load_suite("baselines-eps1")
    assert (child.seeds, child.ceilings) == (parent.seeds, "")
    for above, below in zip(parent.runs, child.runs, strict=True):
        changed = {**above.run.config, "epsilon": "1/255"}
        assert dict(below.run.config) == changed


def test_smoke_is_short_and_not_taken_for_the_suite(tmp_path, engine):
    path = tmp_path / "grid.toml"
    path.write_text(GRID + "\n[smoke]\nbatch-size = 7\n")
    run(str(path), tmp_path, smoke=True)
    assert engine.started == ["grid-smoke-ours-1-eps1-seed1"]
    saved = json.loads(
        (tmp_path / "out" / "grid-smoke-ours-1-eps1-seed1" / "config.json").read_text()
    )
    assert (saved["rounds"], saved["robust-attack"], saved["epsilon"]) == (1, "fgsm", "1/255")
    assert (saved["batch-size"], saved["robust-steps"], saved["robust-last-images"]) == (7, 1, 32)
    engine.started.clear()
    run(str(path), tmp_path)
    assert len(engine.started) == 4


def test_the_root_takes_its_place(tmp_path, engine):
    path = tmp_path / "own.toml"
    path.write_text(
        'description = "own"\n[config]\ndataset = "imagefolder"\ndata-dir = "{root}/pictures"\n'
        "[runs.ours]\n"
    )
    (tmp_path / "pictures").mkdir()
    with pytest.raises(ConfigError, match=r"ours: data-dir is '\{root\}/pictures'; say --root DIR"):
        run(str(path), tmp_path)
    run(str(path), tmp_path, root=tmp_path)
    saved = json.loads((tmp_path / "out" / "own-ours-seed1" / "config.json").read_text())
    assert saved["data-dir"] == str(tmp_path / "pictures")


def test_resume_goes_on_where_there_is_a_checkpoint(suite_file, tmp_path, engine):
    engine.ends["pair-tuned-seed1"] = "failed"
    run(suite_file, tmp_path, ["1"])
    checkpoints = tmp_path / "out" / "pair-tuned-seed1" / "checkpoints"
    save_checkpoint(checkpoints, 1, {"prompt": torch.zeros(2)}, {})
    engine.ends.clear()
    resumed = []

    def look(plan, console):
        resumed.append((plan.config.run.run_name, plan.config.run.resume))
        return engine(plan, console)

    running.run_plan = look  # the engine's fixture puts the real one back
    run(suite_file, tmp_path, ["1", "2"], resume=True)
    assert resumed == [
        ("pair-tuned-seed1", "latest"),
        ("pair-tuned-seed2", ""),
        ("pair-frozen-seed2", ""),
    ]
    # A checkpoint of another configuration is nothing to go on from.
    changed = tmp_path / "pair.toml"
    changed.write_text(SUITE.replace("rounds = 3", "rounds = 4"))
    resumed.clear()
    run(str(changed), tmp_path, ["1"], resume=True, overwrite=True)
    assert resumed == [("pair-tuned-seed1", ""), ("pair-frozen-seed1", "")]


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("shots = [1, 4]", "shots = 1", "the axis 'shots' of the grid is 1"),
        ('mean-over = "shots"', 'mean-over = "seed"', "mean-over is 'seed'; its axes: shots, eps"),
        ("theirs.clean", "theirs.cleen", r"\[published.theirs\] must hold clean, robust or both"),
        ("70.25", "170", r"allowed: 0 to 100 \(percent\)"),
        ('source = "somewhere"', 'extends = "grid"', "extends is 'grid', which is this suite"),
    ],
)
def test_bad_grid(tmp_path, old, new, sentence):
    path = tmp_path / "grid.toml"
    path.write_text(GRID.replace(old, new))
    with pytest.raises(ConfigError, match=sentence):
        load_suite(str(path))
