"""The run folder is claimed, read while it grows, and closed."""

import json

import pytest
import torch

from fedmvp_core.errors import ConfigError
from fedmvp_core.run_folder import read_status
from server_app.records.checkpoints import save_checkpoint
from simulations.runner.claimed_folder import EventTail, claimed_folder, close_run
from simulations.runner.failure import reason
from simulations.runner.named_runs import NamedRun, resolve_config


def config_in(folder, **overrides):
    return resolve_config(NamedRun("mine", "", 0, {}), {"output-dir": str(folder), **overrides})


def test_an_earlier_run_is_removed_and_a_users_file_kept(tmp_path):
    config = config_in(tmp_path, overwrite=True)
    with claimed_folder(config) as folder:
        (folder / "checkpoints").mkdir()
        (folder / "checkpoints" / "round-0001.safetensors").touch()
        (folder / "notes.txt").touch()
        close_run(folder, 5, "failed", "why")
    with claimed_folder(config) as folder:
        assert not list(folder.iterdir())
        (folder / "status.json").write_text('{"status": "running", "rounds-completed": 1}')
    assert {path.name for path in folder.iterdir()} == {"status.json", "notes.txt"}


def test_a_run_is_protected_when_overwrite_is_false(tmp_path):
    config = config_in(tmp_path, overwrite=False)
    with claimed_folder(config) as folder:
        close_run(folder, 5, "completed", "")
    with (
        pytest.raises(ConfigError, match="holds a completed run of 0 rounds; choose another run-n"),
        claimed_folder(config),
    ):
        pass
    assert read_status(folder)["status"] == "completed"


def test_a_run_to_be_resumed_keeps_its_files_and_may_write_to_them(tmp_path):
    config = config_in(tmp_path)
    with claimed_folder(config) as folder:
        names = ["config.json", "metrics.csv", "checkpoints/round-0002.safetensors"]
        (folder / "metrics.csv").write_text("kept")
        (folder / "config.json").write_text(json.dumps(config.as_mapping()))
        save_checkpoint(folder / "checkpoints", 2, {"a": torch.ones(2)}, {})
        kept = {name: (folder / name).read_bytes() for name in names}
        (folder / "status.json").write_text('{"status": "running", "rounds-completed": 2}')
        (folder / "progress.jsonl").write_text('{"event": "end"}\n{"event": "rou')
        (folder / "app.log").write_text("ValueError: of the process before")
    for overwrite in (True, False):  # nothing is overwritten
        with claimed_folder(config_in(tmp_path, resume="latest", overwrite=overwrite)) as folder:
            assert {name: (folder / name).read_bytes() for name in names} == kept
            status = read_status(folder)
            assert (status["status"], status["rounds-completed"]) == ("running", 2)
            tail = EventTail(folder)
            assert tail.new_events() == []
            assert "ValueError" not in reason(folder, None)
            with (folder / "progress.jsonl").open("a") as stream:
                stream.write('{"event": "resume"}\n')
            assert tail.new_events() == [{"event": "resume"}] == EventTail(folder).new_events()


def test_resuming_where_no_run_is_begins_anew(tmp_path):
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "metrics.csv").touch()
    with claimed_folder(config_in(tmp_path, resume="latest")) as folder:
        assert not list(folder.iterdir())


def test_two_runs_cannot_share_a_folder(tmp_path):
    config = config_in(tmp_path)
    with (
        claimed_folder(config),
        pytest.raises(ConfigError, match="another run uses"),
        claimed_folder(config),
    ):
        pass


def test_a_folder_below_a_file_is_refused(tmp_path):
    config = config_in("/dev/null/x")
    with (
        pytest.raises(ConfigError, match="/dev/null/x/demo cannot be written"),
        claimed_folder(config),
    ):
        pass


def test_closing_keeps_the_rounds_that_were_completed(tmp_path):
    status = {"status": "running", "rounds": 9, "rounds-completed": 4, "error": None}
    (tmp_path / "status.json").write_text(json.dumps(status))
    close_run(tmp_path, 20, "interrupted", "stopped")
    assert read_status(tmp_path) == {**status, "status": "interrupted", "error": "stopped"}
    assert EventTail(tmp_path).new_events() == [
        {"event": "end", "status": "interrupted", "error": "stopped"}
    ]


def test_tail_waits_for_whole_lines(tmp_path):
    tail = EventTail(tmp_path)
    assert tail.new_events() == []
    path = tmp_path / "progress.jsonl"
    path.write_text('{"event": "start"}\n{"event": "ro')
    assert tail.new_events() == [{"event": "start"}]
    with path.open("a") as stream:
        stream.write('und"}\n')
    assert tail.new_events() == [{"event": "round"}]
    assert tail.new_events() == []
