"""The run folder is claimed, read while it grows, and closed."""

import json

import pytest

from fedmvp_core.errors import ConfigError
from simulations.runner.named_runs import NamedRun, resolve_config
from simulations.runner.run_folder import EventTail, claimed_folder, close_run, read_status


def config_in(folder, **overrides):
    return resolve_config(NamedRun("mine", "", 0, {}), {"output-dir": str(folder), **overrides})


def test_an_earlier_run_is_removed_and_a_users_file_kept(tmp_path):
    config = config_in(tmp_path)
    with claimed_folder(config) as folder:
        (folder / "checkpoints").mkdir()
        (folder / "checkpoints" / "round-0001.safetensors").touch()
        (folder / "notes.txt").touch()
        close_run(folder, 5, "failed", "why")
    with claimed_folder(config) as folder:
        assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def test_a_run_is_protected_when_overwrite_is_false(tmp_path):
    config = config_in(tmp_path, overwrite=False)
    with claimed_folder(config) as folder:
        close_run(folder, 5, "completed", "")
    with (
        pytest.raises(ConfigError, match="holds a run and overwrite is false"),
        claimed_folder(config),
    ):
        pass
    assert read_status(folder)["status"] == "completed"


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
