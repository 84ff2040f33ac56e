"""The folder that a run leaves: whole files, nothing of an earlier run, clear refusals."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from fedmvp_core.config import RunConfig, parse_config
from fedmvp_core.errors import ConfigError
from fedmvp_core.replaced_run import aside_of
from server_app.cohort.nodes import Node
from server_app.records.run_folder import RunFolder

Make = Callable[..., RunConfig]


@pytest.fixture
def folder(default_config: Make) -> RunFolder:
    return RunFolder(default_config(run_name="a run", rounds=7))


def read(folder: RunFolder, name: str) -> object:
    return json.loads((folder.path / name).read_text(encoding="utf-8"))


def test_config_and_status_at_the_start(folder: RunFolder, tmp_path: Path) -> None:
    assert folder.path == tmp_path / "runs" / "a run"
    config = read(folder, "config.json")
    assert isinstance(config, dict)
    assert parse_config(config) == folder.config
    assert read(folder, "status.json") == {
        "status": "running",
        "rounds": 7,
        "rounds-completed": 0,
        "error": None,
    }


def test_status_counts_checkpoints(folder: RunFolder) -> None:
    folder.write_checkpoint(3, {"a": torch.ones(2)}, "beef")
    folder.write_status("failed", "out of memory")
    assert read(folder, "status.json") == {
        "status": "failed",
        "rounds": 7,
        "rounds-completed": 3,
        "error": "out of memory",
    }
    described = read(folder, "checkpoints/round-0003.json")
    assert isinstance(described, dict)
    assert described["weights-hash"] == "beef"
    assert (described["round"], described["method"], described["backbone"]) == (3, "fedmvp", "tiny")


def test_metrics_and_classes(folder: RunFolder) -> None:
    folder.record(0, "base", "accuracy", 0.5)
    folder.record(1, "client-000", "train-loss", 2)
    folder.write_metrics()
    folder.write_classes([("base", 'a "class", quoted', 30, 0.1, 0.2)])
    with (folder.path / "metrics.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [
            ["round", "split", "metric", "value"],
            ["0", "base", "accuracy", "0.5"],
            ["1", "client-000", "train-loss", "2.0"],
        ]
    with (folder.path / "classes.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["split", "class", "images", "zero_shot_accuracy", "accuracy"]
    assert rows[1] == ["base", 'a "class", quoted', "30", "0.1", "0.2"]


def test_shards(folder: RunFolder) -> None:
    folder.write_shards([Node(99, 0, 3, {"cat": 2, "dog": 1}, {"art": 3})])
    assert read(folder, "shards.json") == [
        {
            "partition-id": 0,
            "num-examples": 3,
            "classes": {"cat": 2, "dog": 1},
            "domains": {"art": 3},
        }
    ]


def test_progress_is_a_json_object_a_line(folder: RunFolder) -> None:
    folder.event("start", rounds=7, prompt_numbers=12)
    folder.event("end", status="completed", error=None)
    lines = (folder.path / "progress.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"event": "start", "rounds": 7, "prompt-numbers": 12},
        {"event": "end", "status": "completed", "error": None},
    ]


def test_environment(folder: RunFolder) -> None:
    folder.write_environment("cpu")
    environment = read(folder, "environment.json")
    assert isinstance(environment, dict)
    assert {"fedmvp", "python", "torch", "open-clip", "flwr", "ray", "platform"} <= set(environment)
    assert {"device", "source-hash", "source-folder", "started", "ended"} <= set(environment)
    assert environment["seconds"] >= 0


def test_environment_says_the_activation(folder: RunFolder) -> None:
    folder.write_environment("cpu", "GELU, by the backbone's name 'tiny'")
    environment = read(folder, "environment.json")
    assert isinstance(environment, dict)
    assert environment["activation"] == "GELU, by the backbone's name 'tiny'"


def test_a_second_run_of_the_name_starts_from_nothing(default_config: Make) -> None:
    first = RunFolder(default_config())
    first.write_checkpoint(9, {"a": torch.ones(2)}, "beef")
    first.write_metrics()
    first.write_environment("cpu")
    first.event("start")
    (first.path / "report.html").write_text("old")
    (first.path / "notes.txt").write_text("the user's own")
    second = RunFolder(default_config())

    def left() -> set[str]:
        return {str(p.relative_to(second.path)) for p in second.path.rglob("*") if p.is_file()}

    assert left() == {"config.json", "status.json"}
    second.write_checkpoint(1, {"a": torch.ones(2)}, "beef")
    checkpoint = {f"checkpoints/round-0001.{suffix}" for suffix in ("json", "safetensors")}
    assert left() == {"config.json", "status.json", "notes.txt", *checkpoint}
    assert not aside_of(second.path).exists()


def test_a_run_is_not_overwritten_when_that_is_not_wanted(default_config: Make) -> None:
    config = default_config(overwrite=False)
    folder = RunFolder(config)
    folder.write_checkpoint(1, {"a": torch.ones(2)}, "beef")
    folder.write_metrics()
    sentence = r"'.*demo' holds a running run of 1 round; choose another run-name=NAME, replace it"
    with pytest.raises(ConfigError, match=sentence):
        RunFolder(config)
    assert (folder.path / "metrics.csv").exists()


def test_a_folder_that_cannot_be_written(default_config: Make, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"run folder '.*file/demo' cannot be written: .*"):
        RunFolder(default_config(output_dir=str(tmp_path / "file")))


def test_a_file_in_the_folders_place(default_config: Make, tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "demo").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        RunFolder(default_config())
