"""`fedmvp stress`: which federations are run, which not again, and the table."""

import csv
import io
import json
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from fedmvp_core.errors import ConfigError
from fedmvp_core.run_folder import run_folder
from server_app.aggregation import ConfiguredAggregation
from simulations.cli import app
from simulations.runner.simulate import RunOutcome
from simulations.stress.plans import DEFENCES, plan_stress
from simulations.stress.running import run_stress
from simulations.stress.table import COLUMNS, FederationResult, rows, verdicts
from simulations.suite import running


def planned(tmp_path, attacks=("sign-flip",), defences=(), supernodes=15, **overrides):
    overrides = {key.replace("_", "-"): value for key, value in overrides.items()}
    return plan_stress(attacks, defences, overrides, 0.2, supernodes, 3, tmp_path)


def test_every_defence_is_run_without_liars_and_under_each_attack(tmp_path) -> None:
    runs = planned(tmp_path, ["sign-flip", "nan"])
    found = {(run.defence, run.attack) for run in runs}
    assert found == {(d, a) for d in DEFENCES for a in ("none", "sign-flip", "nan")}
    assert (runs[0].defence, runs[0].attack) == ("fedavg", "none")
    assert len({run.plan.config.run.run_name for run in runs}) == len(runs)
    for run in runs:
        config = run.plan.config
        assert config.stress.stress_attack == run.attack
        assert config.stress.stress_fraction == 0.2
        assert config.federation.aggregation == run.defence.split(",")[0]
        told = getattr(ConfiguredAggregation(config).options, "malicious_share", None)
        untold = run.defence.startswith("fedavg")
        untold |= run.defence in ("geometric-median", "clipped-noise")
        assert told == (None if untold else 0.2)
        assert (config.federation.max_update_norm > 0) == (run.defence == "fedavg, checked")


def test_keys_of_the_command_line_count_for_all(tmp_path) -> None:
    runs = planned(tmp_path, defences=["krum"], method="fedmvp", seed=5)
    assert {(run.plan.config.model.method, run.plan.config.run.seed) for run in runs} == {
        ("fedmvp", 5)
    }


@pytest.mark.parametrize(
    ("choice", "sentence"),
    [
        ({"attacks": ["sing-flip"]}, "attack is 'sing-flip'; allowed: sign-flip; noise"),
        ({"defences": ["median"]}, "defence is 'median'; allowed: fedavg; fedavg, checked"),
        ({"supernodes": 14, "defences": ["bulyan"]}, None),
        ({"supernodes": 10, "defences": ["bulyan"]}, "bulyan', which needs 11 clients a round"),
        (
            {"supernodes": 6, "attacks": ["min-max"], "defences": ["dnc"]},
            "'min-max', which needs 2 liars or more",
        ),
    ],
)
def test_what_cannot_be_run_is_said_before_anything_starts(tmp_path, choice, sentence) -> None:
    if sentence is None:
        assert planned(tmp_path, **choice)
    else:
        with pytest.raises(ConfigError, match=sentence):
            planned(tmp_path, **choice)


@pytest.fixture
def engine(monkeypatch):
    """Federations end at 0.5; under an attack fedavg at 0.1, and a reply is refused each round."""
    started = []

    def run(plan, console):
        config = plan.config
        started.append(config.run.run_name)
        folder = run_folder(config.run)
        folder.mkdir(parents=True)
        attacked = config.stress.stress_attack != "none"
        fallen = attacked and config.run.run_name.endswith("-fedavg")
        (folder / "config.json").write_text(json.dumps(config.as_mapping()))
        (folder / "status.json").write_text(json.dumps({"status": "completed"}))
        rows = f"3,all,accuracy,{0.1 if fallen else 0.5}\n0,all,zero-shot-accuracy,0.3\n"
        rows += "".join(f"{r},train,refused-replies,{int(attacked)}\n" for r in (1, 2, 3))
        (folder / "metrics.csv").write_text("round,split,metric,value\n" + rows)
        return RunOutcome(folder, "completed", None, 3, 1.0)

    monkeypatch.setattr(running, "run_plan", run)
    return started


def test_the_table_and_what_is_done_is_not_run_again(tmp_path, engine) -> None:
    for _ in range(2):
        runs = planned(tmp_path, defences=["fedavg", "krum"])
        said = io.StringIO()
        assert run_stress(Console(file=said, width=150), runs, tmp_path) == 0
    assert engine == [
        "stress-none-fedavg",
        "stress-sign-flip-fedavg",
        "stress-sign-flip-krum",
        "stress-none-krum",
    ]
    with (tmp_path / "stress.csv").open(newline="") as stream:
        header, *rows = csv.reader(stream)
    assert tuple(header) == COLUMNS
    assert rows == [
        ["none", "fedavg", "1", "50.0 %", "50.0 % .. 50.0 %", "+0.0", "0", "-", "-"],
        ["none", "krum", "1", "50.0 %", "50.0 % .. 50.0 %", "+0.0", "0", "-", "-"],
        ["sign-flip", "fedavg", "1", "10.0 %", "10.0 % .. 10.0 %", "-40.0", "3", "-", "-"],
        ["sign-flip", "krum", "1", "50.0 %", "50.0 % .. 50.0 %", "+0.0", "3", "-", "-"],
    ]
    row = "| sign-flip | fedavg | 1 | 10.0 % | 10.0 % .. 10.0 % | -40.0 | 3 | - | - |"
    assert row in (tmp_path / "stress.md").read_text()
    held = "sign-flip: within 3 points: krum"
    assert f"- {held}" in (tmp_path / "stress.md").read_text()
    assert "-40.0" in said.getvalue()
    assert held in said.getvalue()


def test_seeds_are_runs_of_their_own_and_a_row_is_their_mean(tmp_path) -> None:
    runs = plan_stress(["nan"], ["fedavg", "krum"], {}, 0.2, 15, 3, tmp_path, seeds=[1, 2])
    assert len(runs) == 8
    assert {run.plan.config.run.run_name[-5:] for run in runs} == {"seed1", "seed2"}
    assert {run.plan.config.run.seed for run in runs} == {1, 2}
    accuracy = {
        ("none", "fedavg", 1): 0.5,
        ("none", "fedavg", 2): 0.3,
        ("nan", "krum", 1): 0.4,
        ("nan", "krum", 2): 0.3,
    }
    measured = [
        FederationResult(d, a, seed, value, 2, None) for (a, d, seed), value in accuracy.items()
    ]
    assert list(rows(measured)) == [
        ("none", "fedavg", "2", "40.0 %", "30.0 % .. 50.0 %", "+0.0", "4", "-", "-"),
        ("nan", "krum", "2", "35.0 %", "30.0 % .. 40.0 %", "-5.0", "4", "-", "-"),
    ]
    # A seed without its clean run is compared with nothing.
    assert [row[5] for row in rows(measured[2:])] == ["-"]


def test_a_defence_holds_that_keeps_the_accuracy_and_the_backdoor_shut() -> None:
    def found(
        defence: str, accuracy: float, backdoor: float | None, attack: str = "backdoor-patch"
    ):
        return FederationResult(defence, attack, 1, accuracy, 0, backdoor)

    clean = FederationResult("fedavg", "none", 1, 0.5, 0, None)
    opened = [found("fedavg", 0.5, 0.99), found("krum", 0.46, 0.0), found("dnc", 0.47, 0.1)]
    sentence = "backdoor-patch: within 3 points and opens it in under 10 %: "
    assert list(verdicts([clean, *opened])) == [sentence + "none"]
    closed = [found("bulyan", 0.47, 0.09), found("flanders", 0.6, 0.0)]
    assert list(verdicts([clean, *opened, *closed])) == [sentence + "bulyan, flanders"]
    shrunk = [found("fedavg", 0.49, None, "lie"), found("krum", 0.4, None, "lie")]
    assert list(verdicts([clean, *shrunk])) == ["lie: within 3 points: fedavg"]
    assert list(verdicts(shrunk)) == []


def test_the_command_says_what_it_does_not_know(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["stress", "--attack", "fib", "--output-dir", str(tmp_path)])
    assert result.exit_code == 2
