"""What server and simulations agree on about a run's folder."""

from pathlib import Path

import pytest
from run_configs import run_config

from fedmvp_core.errors import DataError
from fedmvp_core.run_folder import (
    LOGS,
    METRICS,
    differences,
    holds_run,
    read_metrics,
    read_object,
    read_status,
    remove_run,
    run_folder,
)

HEADER = "round,split,metric,value\n"


def test_where_a_run_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/somebody")
    for output_dir, folder in (("runs", tmp_path / "runs"), ("~/x", Path("/home/somebody/x"))):
        config = run_config(output_dir=output_dir, run_name="mine")
        assert run_folder(config.run) == folder / "mine"


@pytest.mark.parametrize("name", ["config.json", "status.json", "metrics.csv"])
def test_a_folder_with_any_of_the_first_files_holds_a_run(tmp_path: Path, name: str) -> None:
    assert not holds_run(tmp_path)
    (tmp_path / "app.log").touch()
    assert not holds_run(tmp_path)
    (tmp_path / name).touch()
    assert holds_run(tmp_path)


def test_removing_a_run_leaves_what_is_not_its_own(tmp_path: Path) -> None:
    checkpoints, attacks = tmp_path / "checkpoints", tmp_path / "attacks"
    for folder in (checkpoints, attacks):
        folder.mkdir()
    for path in (checkpoints / "round-0001.json", attacks / "pgd.csv"):
        path.touch()
    for name in ("config.json", "metrics.csv", "ceilings.json", "app.log", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / f".metrics.csv.{'0' * 32}").touch()
    remove_run(tmp_path, keep=LOGS)
    assert {path.name for path in tmp_path.iterdir()} == {"app.log", "notes.txt"}
    checkpoints.mkdir()
    (checkpoints / "mine.txt").touch()
    remove_run(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"checkpoints", "notes.txt"}
    assert (checkpoints / "mine.txt").exists()


def test_rows_of_metrics(tmp_path: Path) -> None:
    path = tmp_path / METRICS
    path.write_text(f'{HEADER}0,base,accuracy,0.1\r\n2,"a, b",loss,nan\n')
    first, second = read_metrics(path)
    assert first == (0, "base", "accuracy", 0.1)
    assert second[:3] == (2, "a, b", "loss")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "lacks the columns round, split, metric, value"),
        ("round,split\n1,base\n", "lacks the columns metric, value"),
        (f"{HEADER}1,base,accuracy,high\n", "cannot be read as a table"),
        (f"{HEADER}one,base,accuracy,1\n", "cannot be read as a table"),
        (f"{HEADER}1,base\n", "cannot be read as a table"),
    ],
)
def test_broken_metrics_are_refused_by_name(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / METRICS
    path.write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        read_metrics(path)
    assert str(path) in str(caught.value)


def test_missing_metrics_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"metrics\.csv' cannot be read"):
        read_metrics(tmp_path / METRICS)


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000, "3"])
def test_what_is_no_object_is_read_as_an_empty_one(tmp_path: Path, text: str) -> None:
    assert read_status(tmp_path) == {}
    (tmp_path / "status.json").write_text(text)
    assert read_status(tmp_path) == {}
    (tmp_path / "status.json").write_text('{"status": "completed"}')
    assert read_object(tmp_path / "status.json") == {"status": "completed"}


def test_what_makes_a_run_another_one() -> None:
    config = run_config(clients=0, rounds=5)
    saved = config.as_mapping()
    assert differences(saved, config) == {}
    assert differences({**saved, "rounds": 7}, config) == {"rounds": (7, 5)}
    assert differences({**saved, "alpha": 3.0}, config) == {}, "its default in version 0.1"
    of_version_01 = differences({**saved, "alpha": 7.0}, config)
    assert of_version_01 == {"objective-options": ("alpha=7.0", "")}
    assert differences({**saved, "run-name": "other", "resume": "latest"}, config) == {}
    assert differences({"rounds": 5}, config) == {}, "younger keys make no difference"


def test_no_wish_for_a_number_of_clients_fits_any() -> None:
    saved = run_config(clients=3).as_mapping()
    assert differences(saved, run_config(clients=0)) == {}
    assert differences(saved, run_config(clients=2)) == {"clients": (3, 2)}
