"""`fedmvp reproduce`: data, weights, time, runs and the page, on a small tree in a true layout."""

import dataclasses
import hashlib
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from data_trees import TREES
from typer.testing import CliRunner

from fedmvp_core.data.readers.table import READERS
from fedmvp_core.run_folder import run_folder
from simulations.cli import app
from simulations.datasets import check
from simulations.runner.inline import run_inline
from simulations.runner.project import package_folder
from simulations.runner.simulate import RunOutcome
from simulations.suite import running

SUITE = """
description = "two methods on Caltech-101"
source = "nowhere"
supernodes = 2
splits = ["local", "base", "new", "harmonic-mean"]
[config]
dataset = "caltech101"
data-dir = "{root}"
cache-dir = "{root}/cache"
backbone = "ViT-B-16-quickgelu"
pretrained = "openai"
precision = "bf16"
setting = "base-to-new"
robust-attack = "none"
device = "cpu"
shots = 2
[runs.promptfl.config]
method = "promptfl"
rounds = 2
batch-size = 4
local-epochs = 1
[runs.zs-clip.config]
method = "zs-clip"
rounds = 0
[published]
zs-clip.clean = { base = 33.0, new = 90.0 }
promptfl.clean = { base = 70.5, harmonic-mean = 71.0 }
fedtpg.clean = { base = 73.5 }
"""
TINY = ("--backbone", "tiny", "--pretrained", "embedded")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a suite, and data/caltech-101 whole, as a small set has it."""
    folder = tmp_path / "data" / READERS["caltech101"].folder
    folder.mkdir(parents=True)
    TREES["caltech101"](folder)
    (tmp_path / "short.toml").write_text(SUITE)
    entry = READERS["caltech101"]
    counts = {"train": 30, "validation": 12, "test": 18}
    small = dataclasses.replace(entry, expected_classes=6, expected_counts=counts)
    monkeypatch.setattr(check, "READERS", {**READERS, "caltech101": small})
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def reproduce() -> Callable[..., Result]:
    def call(*words: str) -> Result:
        return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["reproduce", *words])

    return call


def broken_off(plan, console):
    """The real engine, interrupted after the first round of the second seed."""

    def on_event(event):
        if event.get("event") == "round" and plan.config.run.seed == 2:
            raise KeyboardInterrupt

    return run_inline(plan.config, plan.supernodes, on_event)


def state(run: str) -> dict:
    return json.loads((Path("runs") / run / "status.json").read_text())


def test_the_whole_path_broken_off_and_gone_on_with(place, reproduce, monkeypatch) -> None:
    words = ("short.toml", "--root", "data", *TINY, "--seeds", "1", "2")
    with monkeypatch.context() as patched:
        patched.setattr(running, "run_plan", broken_off)
        result = reproduce(*words)
    assert result.exit_code == 130, result.output
    steps = [result.output.index(f"{number} of 5: ") for number in range(1, 6)]
    assert steps == sorted(steps)
    for said in (
        r"caltech101 │ caltech-101 │ 6 .* train 30, validation 12, test 18 .* as published",
        r"hash +│ [0-9a-f]{64}",
        r"caltech101 │ base +│ [0-9.]+ % +│ 33.0 % +│ [+-][0-9.]+ +│ \[published.zs-clip\]",
        r"promptfl +1 +2 +2 +2 +[0-9.]+ +[0-9.]+ +[0-9.]+ +[0-9.]+ +[0-9.]+",
        r"3 of 4 runs have not completed and are named as missing",
    ):
        assert re.search(said, result.output), said
    page = Path("runs/short-reproduction.md").read_text()
    assert "short-reproduction-promptfl-seed2 | interrupted" in page
    assert "short-reproduction-zs-clip-seed1 | not begun" in page
    assert "1 of 4 runs are completed" in page

    before = state("short-reproduction-promptfl-seed1")
    result = reproduce(*words)
    assert result.exit_code == 0, result.output
    assert "short-reproduction-promptfl-seed1 is done already" in result.output
    assert state("short-reproduction-promptfl-seed1") == before
    made = json.loads(Path("runs/short-reproduction-promptfl-seed2/environment.json").read_text())
    assert made["resumed-after"] == 1
    for ending in (".md", ".html"):
        check_page(Path(f"runs/short-reproduction{ending}").read_text())


def test_a_run_that_fails_is_named_as_missing(place, reproduce, monkeypatch) -> None:
    def failing(plan, console):
        folder = run_folder(plan.config.run)
        folder.mkdir(parents=True)
        error = f"{place}/data is on fire"
        (folder / "status.json").write_text(json.dumps({"status": "failed", "error": error}))
        return RunOutcome(folder, "failed", error, 0, 1.0)

    monkeypatch.setattr(running, "run_plan", failing)
    result = reproduce("short.toml", "--root", "data", *TINY)
    assert result.exit_code == 1
    assert "2 of 2 runs have not completed" in result.output
    page = Path("runs/short-reproduction.md").read_text()
    assert "| short-reproduction-promptfl-seed1 | failed | " in page
    assert "| promptfl | clean | base | - | - | - | - | - | 70.5 % | - |" in page


def check_page(page: str) -> None:
    """What a reader of the page must find in it."""
    cells = re.sub(r"</td><td>", " | ", page)
    for said in (
        r"4 of 4 runs are completed. Seeds: 1, 2. Protocol: published",
        r"fedmvp reproduce short.toml --root data --backbone tiny --pretrained embedded "
        r"--seeds 1 2",
        r"promptfl \| clean \| base \| 2 \| [0-9.]+ % \| [0-9.]+ % \| [0-9.]+ % .. [0-9.]+ % \| "
        r"[+-][0-9.]+ \| 70.5 % \| [+-][0-9.]+",
        r"fedtpg \| clean \| base \| - \| - \| - \| - \| - \| 73.5 % \| -",
        r"all runs \| weights \| ViT-B-16-quickgelu openai \| tiny embedded",
        r"promptfl \| rounds \| 20 \| 2",
        r"caltech101 \| train \| 15 \| [0-9a-f]{64}",
        r"hash \| [0-9a-f]{64}",
        r"commit \| ",
        r"device \| CPU, ",
    ):
        assert re.search(said, cells), said
    assert "Missing runs" not in page
    assert str(Path.cwd()) not in page  # a folder of one machine tells another nothing
    assert "http" not in page
    assert '<link rel="icon" href="data:,">' in page or "<html" not in page


def test_only_check_starts_no_run_and_warns_of_zero_shot_that_is_far_off(place, reproduce) -> None:
    result = reproduce("short.toml", "--root", "data", *TINY, "--only-check")
    assert result.exit_code == 0, result.output
    assert "3 of 5" in result.output
    assert "4 of 5" not in result.output
    assert not Path("runs").exists()
    warning = next(line for line in result.output.splitlines() if line.startswith("warning: "))
    assert "zero-shot differs from the published by more than 1 point" in warning
    for reason in ("weights: the suite is about", "activation: GELU", "template: 'a photo of a"):
        assert reason in warning
    assert "resolution: pictures are resized to 64 pixels" in warning
    assert "split: " in warning
    assert re.search(r"new by [+-]", warning)


def test_every_missing_set_is_told_at_once_with_its_place(place, reproduce) -> None:
    several = SUITE.replace('dataset = "caltech101"', 'dataset = "caltech101,dtd,eurosat"')
    Path("short.toml").write_text(several)
    result = reproduce("short.toml", "--root", "data", *TINY)
    assert result.exit_code == 1
    assert "dtd was expected in '" in result.output
    assert "data/eurosat'" in result.output
    assert "eurosat/{2750,split_zhou_EuroSAT.json}" in result.output
    assert "2 of 3 data sets are missing or not as published: dtd, eurosat" in result.output
    assert "2 of 5" not in result.output


def test_weights_by_their_file_are_hashed_and_their_folder_stays_private(
    place, reproduce, monkeypatch
) -> None:
    file = place / "mine" / "tiny.safetensors"
    file.parent.mkdir()
    shutil.copy(package_folder("fedmvp_assets") / "tiny_clip" / "model.safetensors", file)
    monkeypatch.setattr(
        running, "run_plan", lambda plan, console: RunOutcome(place, "failed", "", 0, 0)
    )
    weights = ("--backbone", "tiny", "--pretrained", "mine/tiny.safetensors")
    reproduce("short.toml", "--root", "data", *weights)
    page = Path("runs/short-reproduction.md").read_text()
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert f"| SHA-256 of tiny.safetensors | {digest} |" in page
    assert "| backbone | tiny, tiny.safetensors, 2,445,185 numbers |" in page
    assert str(place) not in page


def test_the_targets_of_a_cross_dataset_suite_are_looked_for(place, reproduce) -> None:
    crossed = SUITE.replace('"base-to-new"', '"cross-dataset"\n"setting.target-datasets" = "dtd"')
    Path("short.toml").write_text(crossed)
    result = reproduce("short.toml", "--root", "data", *TINY)
    assert "1 of 2 data sets are missing or not as published: dtd" in result.output


def test_a_missing_root_is_told_of_each_set(place, reproduce) -> None:
    result = reproduce("short.toml", "--root", "nowhere", *TINY)
    assert result.exit_code == 1
    assert "nowhere' is not a folder" in result.output
    result = reproduce("short.toml", *TINY)
    assert result.exit_code == 2
    assert "say --root DIR" in result.output


def test_a_missing_class_stops_it_unless_other_counts_are_let_pass(place, reproduce) -> None:
    shutil.rmtree(place / "data" / "caltech-101" / "101_ObjectCategories" / "accordion")
    words = ("short.toml", "--root", "data", *TINY, "--only-check")
    result = reproduce(*words)
    assert result.exit_code == 1
    assert "5 classes were found; expected: 6" in result.output
    assert "go on with such copies by --other-counts" in result.output
    result = reproduce(*words, "--other-counts")
    assert result.exit_code == 0, result.output
    assert "other counts" in result.output


def test_a_damaged_picture_is_no_other_count(place, reproduce) -> None:
    folder = place / "data" / "caltech-101" / "101_ObjectCategories" / "accordion"
    (folder / "image_0001.jpg").write_bytes(b"no picture")
    result = reproduce("short.toml", "--root", "data", *TINY, "--other-counts", "--only-check")
    assert result.exit_code == 1
    assert "image_0001.jpg" in result.output
    assert "broken" in result.output


def test_weights_that_are_not_there_are_told_before_pictures_are_read(place, reproduce) -> None:
    result = reproduce("short.toml", "--root", "data", "--pretrained", "gone/ViT-B-16.pt")
    assert result.exit_code == 2
    assert "gone/ViT-B-16.pt'; there is no such file" in result.output
    assert "1 of 5" not in result.output


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("emoji-msst",), "suite 'emoji-msst' has no published numbers"),
        (("emoji-msst",), "capt-base-to-new, "),
        (("fedmvp-mst",), "cannot be read"),
        (("fedmvp-msst", "--protocol", "theirs"), "protocol is 'theirs'; allowed: published, ours"),
        (("fedmvp-msst", "1", "2"), "'1' is not understood; write --seeds 1 2 3"),
    ],
)
def test_what_cannot_be_reproduced_is_refused(reproduce, words, sentence) -> None:
    result = reproduce(*words)
    assert result.exit_code == 2
    assert sentence in result.output
