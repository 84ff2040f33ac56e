"""The `fedmvp` command: what it prints and returns, without starting a run."""

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from fedmvp_core.run_folder import run_folder
from simulations import cli
from simulations.commands import run as run_module
from simulations.runner import reporting
from simulations.runner.simulate import RunOutcome

METRICS = """round,split,metric,value
0,base,accuracy,0.5
0,base,zero-shot-accuracy,0.5
5,base,accuracy,0.625
0,new,zero-shot-accuracy,0.25
5,new,accuracy,0.2
5,client-000,accuracy,0.9
"""


def fedmvp(*words: str):
    return CliRunner().invoke(cli.app, list(words))


@pytest.fixture
def finished_run(tmp_path, monkeypatch):
    """A folder runs/mine that holds a completed run, in the working directory."""
    folder = tmp_path / "runs" / "mine"
    folder.mkdir(parents=True)
    (folder / "metrics.csv").write_text(METRICS)
    (folder / "config.json").write_text('{"method": "fedmvp"}')
    status = {"status": "completed", "rounds": 5, "rounds-completed": 5, "error": None}
    (folder / "status.json").write_text(json.dumps(status))
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def fake_engine(monkeypatch):
    """A function that makes runs end as told; it returns the list of plans that were run."""

    def install(status: str, error: str | None = None):
        plans = []

        def run(plan, console):
            plans.append(plan)
            folder = run_folder(plan.config.run)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "metrics.csv").write_text(METRICS)
            return RunOutcome(folder, status, error, 3, 1.0)

        monkeypatch.setattr(run_module, "run_plan", run)
        return plans

    return install


@pytest.mark.parametrize(
    "words", [[], ["run"], ["report"], ["predict"], ["attack"], ["list"], ["suite"]]
)
def test_help(words):
    result = fedmvp(*words, "--help")
    assert result.exit_code == 0
    assert "Usage" in result.output


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from simulations.cli import app\n"
        "try: app(['run', '--help'])\n"
        "except SystemExit: pass\n"
        "print([name for name in ('torch', 'ray', 'flwr', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["run", "round=3"], "unknown run-config key 'round'; did you mean rounds"),
        (["run", "rounds=-1"], "rounds is -1; allowed: 0 or more"),
        (["run", "rounds=x"], "rounds is 'x'; allowed: a whole number"),
        (["run", "method=fedmvq"], "method is 'fedmvq'"),
        (["run", "nothing-like-it"], "unknown run 'nothing-like-it'"),
        (["run", "demo", "msst"], "'msst' is no KEY=VALUE"),
        (["run", "clients=3", "--supernodes", "4"], "clients is 3 but supernodes is 4"),
        (["run", "output-dir=/dev/null/x"], "the run folder /dev/null/x/demo cannot be written"),
        (["run", "--clients-at-once", "0"], "clients-at-once is 0"),
        (["run", "pretrained=/no/such.pt"], "pretrained is '/no/such.pt'; there is no such file"),
        (["run", "attributes=/no/such.json"], "attributes is '/no/such.json'; there is no such"),
        (["run", "data-dir=/no/such"], "data-dir is '/no/such'; there is no such folder"),
        (["suite", "nothing-like-it"], "suite 'nothing-like-it' cannot be read"),
        (["suite", "baselines", "--seeds", "one"], "seeds has 'one'"),
        (["suite", "baselines", "2"], "'2' is not understood; write --seeds"),
    ],
)
def test_bad_usage_is_one_line_and_exit_2(words, sentence):
    result = fedmvp(*words)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {sentence}")
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""


def test_debug_lets_the_traceback_through():
    result = fedmvp("run", "rounds=-1", "--debug")
    assert type(result.exception).__name__ == "ConfigError"


def test_unknown_option_is_bad_usage():
    assert fedmvp("run", "--round", "3").exit_code == 2


def test_a_completed_run_prints_its_table_and_report(tmp_path, fake_engine, monkeypatch):
    plans = fake_engine("completed")
    monkeypatch.setattr(reporting, "write_page", lambda folder: folder / "report.html")
    result = fedmvp("run", f"output-dir={tmp_path}", "rounds=3", "--supernodes", "2")
    assert result.exit_code == 0
    assert "+12.5" in result.output
    assert "-5.0" in result.output
    assert "client-000" not in result.output
    assert f"report: {tmp_path}/demo/report.html" in result.output
    assert (plans[0].supernodes, plans[0].config.federation.rounds) == (2, 3)


@pytest.mark.parametrize("attack", ["pgd", "ensemble", "none"])
def test_one_attack_is_called_an_upper_bound(tmp_path, fake_engine, attack):
    fake_engine("completed")
    words = [f"output-dir={tmp_path}", f"robust-attack={attack}", "--no-report"]
    output = fedmvp("run", *words).output
    said = f"upper bound; the worst case of several: fedmvp attack {tmp_path}/demo"
    assert (said in output) == (attack == "pgd")


def test_no_report_names_the_folder(tmp_path, fake_engine):
    fake_engine("completed")
    result = fedmvp("run", f"output-dir={tmp_path}", "--no-report")
    assert f"run folder: {tmp_path}/demo" in result.output


def test_a_failed_run_is_one_sentence_and_exit_1(tmp_path, fake_engine):
    fake_engine("failed", "client 2 holds no picture")
    result = fedmvp("run", f"output-dir={tmp_path}")
    assert result.exit_code == 1
    assert result.stderr == "error: client 2 holds no picture\n"


def test_an_interrupted_run_says_where_it_is_and_exits_130(tmp_path, fake_engine):
    fake_engine("interrupted", "stopped")
    result = fedmvp("run", f"output-dir={tmp_path}", "rounds=9")
    assert result.exit_code == 130
    assert f"interrupted after 3 of 9 rounds; what was done is in {tmp_path}/demo" in result.output


def test_ctrl_c_elsewhere_exits_130(monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("simulations.commands.info.info_command", interrupt)
    assert fedmvp("info").exit_code == 130


def test_list_shows_runs_plugins_and_named_runs(finished_run):
    result = fedmvp("list")
    assert result.exit_code == 0
    attacks = ("mi-fgsm", "ensemble", "autoattack")
    for text in ("mine", "completed", "5/5", "62.5 %", "disjoint-classes", "demo-short", *attacks):
        assert text in result.output


def test_list_survives_a_damaged_run(finished_run):
    (finished_run / "metrics.csv").write_text("nonsense")
    (finished_run / "config.json").write_text("{")
    assert fedmvp("list").exit_code == 0


def test_list_of_an_empty_folder(tmp_path):
    result = fedmvp("list", "--output-dir", str(tmp_path))
    assert result.exit_code == 0
    assert f"no runs in {tmp_path}" in result.output


def test_info_names_versions_and_checks_the_embedded_data():
    result = fedmvp("info")
    assert result.exit_code == 0
    for text in ("flwr", "torch", "CPUs", "embedded data", "all as packed"):
        assert text in result.output


def test_info_says_what_a_backbone_is():
    result = fedmvp("info", "--backbone", "tiny", "--pretrained", "embedded")
    assert result.exit_code == 0
    for text in ("2,445,185 numbers", "GELU, by the backbone's name 'tiny'", "32 tokens"):
        assert text in result.output
    for words, sentence in (
        (("--pretrained", "embedded"), "say --backbone NAME too"),
        (("--backbone", "ViT-B-32-relu"), "not with 'relu'"),
        (("--backbone", "tiny", "--pretrained", "gone.pt"), "gone.pt does not exist"),
    ):
        result = fedmvp("info", *words)
        assert result.exit_code != 0
        assert sentence in result.stderr


@pytest.mark.parametrize(
    ("word", "sentence"),
    [("min", "no run 'min'; did you mean mine?"), ("runs", "runs holds no run")],
)
def test_a_run_that_is_not_there_is_exit_2(finished_run, word, sentence):
    result = fedmvp("report", word)
    assert result.exit_code == 2
    assert sentence in result.stderr


@pytest.mark.parametrize("word", ["mine", "runs/mine"])
def test_report_takes_a_name_or_a_path(finished_run, monkeypatch, word):
    monkeypatch.setattr(run_module, "write_page", lambda folder, _: folder / "report.html")
    result = fedmvp("report", word)
    assert result.output == f"report: {finished_run}/report.html\n"


def test_predict_refuses_a_missing_picture(finished_run):
    result = fedmvp("predict", "mine", "absent.png")
    assert result.exit_code == 2
    assert "picture 'absent.png' is no file" in result.stderr


def test_predict_says_what_a_picture_of_another_kind_needs(finished_run, tmp_path):
    (tmp_path / "phone.HEIC").write_bytes(b"ftypheic")
    result = fedmvp("predict", "mine", str(tmp_path / "phone.HEIC"))
    assert result.exit_code == 2
    assert "phone.HEIC' cannot be read here: convert .heic with pillow-heif" in result.stderr
