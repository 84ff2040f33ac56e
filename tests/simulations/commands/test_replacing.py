"""A finished run is replaced only by --overwrite or a yes, and by a run that trains a round."""

import json
import os
import pty
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fedmvp_core.replaced_run import aside_of, broken_off_of
from fedmvp_core.run_folder import read_status
from server_app.records import run_folder as server_folder
from simulations import cli
from simulations.commands import replacing

SMALL = ["dataset=imagefolder", "partition=iid", "setting=few-shot", "pretrained=", "method=apt"]
SMALL += ["method.context-length=2", "shots=2", "rounds=1", "local-epochs=1", "robust-attack=none"]
SMALL += ["attack-steps=1", "device=cpu"]
OPTIONS = ["--engine", "inline", "--supernodes", "2", "--no-report"]


@pytest.fixture
def words(tmp_path, monkeypatch, picture_folder):
    """`fedmvp run` of a second, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return ["run", *SMALL, f"data-dir={picture_folder}", f"cache-dir={tmp_path / 'cache'}"]


@pytest.fixture
def finished(words, tmp_path):
    """The folder of a run that completed."""
    done = fedmvp(*words, *OPTIONS)
    assert done.exit_code == 0, done.output
    return tmp_path / "runs" / "demo"


def fedmvp(*words: str):
    return CliRunner().invoke(cli.app, list(words))


def digest(folder: Path) -> str:
    """Of everything below a folder: names and bytes."""
    total = sha256()
    for path in sorted(folder.rglob("*")):
        total.update(f"{path.relative_to(folder)}\n".encode())
        if path.is_file():
            total.update(path.read_bytes())
    return total.hexdigest()


def unreadable(folder: Path) -> Path:
    """A data-dir whose pictures are none."""
    for label in ("ant", "bee"):
        for number in range(4):
            path = folder / label / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"no picture")
    return folder


def test_without_leave_a_finished_run_stays(finished, words):
    before = digest(finished)
    for more in ([], ["--dry-run"], ["seed=7"], ["overwrite=false"]):
        refused = fedmvp(*words, *more, *OPTIONS)
        assert refused.exit_code == 2
        assert f"'{finished}' holds a completed run of 1 round; " in refused.stderr
        for way in ("run-name=NAME", "--overwrite", "resume=latest"):
            assert way in refused.stderr
        assert len(refused.stderr.splitlines()) == 1
    assert digest(finished) == before
    assert [path.name for path in finished.parent.iterdir()] == ["demo"]


@pytest.mark.parametrize("leave", ["--overwrite", "overwrite=true"])
def test_with_leave_it_is_replaced_once_a_round_is_trained(finished, words, leave):
    (finished / "notes.txt").write_text("mine")
    done = fedmvp(*words, "seed=7", leave, *OPTIONS)
    assert done.exit_code == 0, done.output
    assert json.loads((finished / "config.json").read_text())["seed"] == 7
    assert (finished / "notes.txt").read_text() == "mine"
    assert [path.name for path in finished.parent.iterdir()] == ["demo"]


def test_bad_input_touches_nothing(finished, words, tmp_path):
    """Whether it is found when the words are read, or when the run has begun."""
    before = digest(finished)
    for more, sentence in (
        ([f"seed={2**63}"], f"seed is {2**63}; allowed: 0 to {2**63 - 1}"),
        ([f"seed={10**400}"], "seed is a number of 401 digits; allowed: 0 to"),
        ([f"rounds={2**64}"], f"rounds is {2**64}; allowed: 0 to {2**63 - 1}"),
        ([f"method.context-length={2**70}"], "option context-length is 1180591620717411303424;"),
        (["seed=-1"], "seed is -1; allowed: 0 or more"),
        (["method.context-length=1000"], "context-length is 1000"),
        ([f"data-dir={unreadable(tmp_path / 'bad')}"], "cannot be read"),
        (["partition=disjoint-classes", "--supernodes", "40"], "40 clients"),
    ):
        refused = fedmvp(*words, "--overwrite", *OPTIONS, *more)
        assert refused.exit_code in (1, 2), refused.output
        assert sentence in refused.stderr, refused.stderr
        assert digest(finished) == before
        assert not aside_of(finished).exists()


def test_the_files_of_a_start_that_failed_are_kept_aside(finished, words, tmp_path):
    bad = unreadable(tmp_path / "bad")
    refused = fedmvp(*words, f"data-dir={bad}", "--overwrite", *OPTIONS)
    assert f"'{finished}' holds the earlier run as it was" in refused.stderr
    assert read_status(finished)["status"] == "completed"
    assert read_status(broken_off_of(finished))["status"] == "failed"
    listed = fedmvp("list")
    assert ".demo" not in listed.output


def test_a_full_disk_before_the_first_round_touches_nothing(finished, words, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    before = digest(finished)
    monkeypatch.setattr(server_folder, "save_checkpoint", full)
    refused = fedmvp(*words, "--overwrite", *OPTIONS)
    assert refused.exit_code == 1
    assert "no space is left" in refused.stderr
    assert digest(finished) == before


def test_an_interrupt_before_the_first_round_touches_nothing(finished, words, monkeypatch):
    def stopped(*args, **kwargs):
        raise KeyboardInterrupt

    before = digest(finished)
    monkeypatch.setattr(server_folder, "save_checkpoint", stopped)
    ended = fedmvp(*words, "--overwrite", *OPTIONS)
    assert ended.exit_code == 130
    assert f"{finished} holds the earlier run as it was" in ended.stdout
    assert digest(finished) == before


def test_a_killed_start_is_told_of_and_undone_at_the_next(finished, words, caplog):
    before = digest(finished)
    finished.rename(aside_of(finished))
    finished.mkdir()
    (finished / "status.json").write_text('{"status": "running", "rounds-completed": 0}')
    refused = fedmvp(*words, *OPTIONS)
    assert "'demo' was broken off before its first round" in caplog.text
    assert refused.exit_code == 2
    assert digest(finished) == before


def test_a_run_that_failed_before_its_first_round_needs_no_leave(words, tmp_path):
    refused = fedmvp(*words, f"data-dir={unreadable(tmp_path / 'bad')}", *OPTIONS)
    assert refused.exit_code == 1
    assert fedmvp(*words, *OPTIONS).exit_code == 0


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 2), ("", 2)])
def test_on_a_terminal_the_user_is_asked(finished, words, monkeypatch, answer, code):
    monkeypatch.setattr(replacing, "on_terminal", lambda: True)
    before = digest(finished)
    done = CliRunner().invoke(cli.app, [*words, "seed=7", *OPTIONS], input=f"{answer}\n")
    assert f"{finished} holds a completed run of 1 round. Replace it? [y/N]" in done.stdout
    assert done.exit_code == code, done.output
    assert (digest(finished) == before) is (code == 2)


def test_a_dry_run_on_a_terminal_asks_nothing(finished, words, monkeypatch):
    monkeypatch.setattr(replacing, "on_terminal", lambda: True)
    shown = fedmvp(*words, "--dry-run", *OPTIONS)
    assert shown.exit_code == 0
    assert "holds a completed run of 1 round, which would be replaced" in " ".join(
        shown.stdout.split()
    )


def test_a_terminal_is_where_input_and_output_are_one():
    code = "from simulations.commands.replacing import on_terminal; print(on_terminal())"
    master, slave = pty.openpty()
    try:
        ours = dict.fromkeys(("stdin", "stdout"), slave)
        subprocess.run([sys.executable, "-c", code], **ours, check=True)
        assert os.read(master, 100).strip() == b"True"
        piped = subprocess.run(
            [sys.executable, "-c", code], stdin=slave, stdout=subprocess.PIPE, check=True
        )
        assert piped.stdout.strip() == b"False"
    finally:
        os.close(slave)
        os.close(master)


def test_the_demo_may_be_made_again():
    makefile = Path(cli.__file__).parents[1] / "Makefile"
    assert "fedmvp run $(RUN) --overwrite" in makefile.read_text()


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["seed=7"], "another configuration: seed (was 1, is 7)"),
        (["rounds=2"], "another configuration: rounds (was 1, is 2)"),
        (["method.context-length=3"], "another configuration: method-options"),
    ],
)
def test_resuming_with_another_key_touches_nothing(finished, words, more, sentence):
    before = digest(finished)
    refused = fedmvp(*words, *more, "resume=latest", *OPTIONS)
    assert refused.exit_code == 2
    assert sentence in refused.stderr
    assert digest(finished) == before


def test_resuming_with_other_clients_touches_nothing(finished, words):
    before = digest(finished)
    refused = fedmvp(*words, "resume=latest", *OPTIONS[:2], "--supernodes", "3")
    assert refused.exit_code == 2
    assert "there are 3 clients, and" in refused.stderr
    assert digest(finished) == before


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (["report", "demo"], "checkpoint"),
        (["predict", "demo", "missing.png"], "missing.png' is no file"),
        (["predict", "demo", "metrics.png"], "metrics.png"),
        (["attack", "demo", "--attack", "pdg"], "attack is 'pdg'"),
        (["attack", "demo", "--split", "nothing"], "split is 'nothing'"),
        (["attack", "demo", "--epsilon", "2"], "epsilon"),
        (["run", "demo", "resume=latest"], "another configuration"),
    ],
)
def test_a_command_that_refuses_leaves_a_run_as_it_was(finished, command, sentence):
    Path("metrics.png").write_text("no picture")
    if command[0] == "report":
        for path in (finished / "checkpoints").glob("round-0001.safetensors"):
            path.write_bytes(b"damaged")
        (finished / "checkpoints" / "round-0000.json").write_text("{}")
    before = digest(finished)
    refused = fedmvp(*command)
    assert refused.exit_code != 0
    assert sentence in refused.stderr
    assert digest(finished) == before
