import json
import math

import pytest

from fedmvp_core.errors import DataError
from simulations.report.run_data import read_run


def test_tables_are_read_with_their_types(make_run, tmp_path):
    run = read_run(make_run(tmp_path / "run"))
    assert run.config["seed"] == 7
    assert run.series("train", "loss").index.tolist() == list(range(1, 21))
    assert run.series("new", "accuracy").iloc[-1] == pytest.approx(0.42)
    assert run.event("start")["clients"] == 6
    assert [shard.partition_id for shard in run.shards] == list(range(6))
    assert sum(shard.num_examples for shard in run.shards) == 17 * 8


def test_a_class_may_be_called_none(make_run, tmp_path):
    assert "None" in set(read_run(make_run(tmp_path / "run")).classes["class"])


def test_progress_stands_in_for_missing_metrics(make_run, tmp_path):
    folder = make_run(tmp_path / "run", done=6, status="failed")
    table = read_run(folder)
    (folder / "metrics.csv").unlink()
    events = read_run(folder)
    for split, metric in (("base", "accuracy"), ("train", "loss"), ("train", "failed-clients")):
        assert events.series(split, metric).tolist() == table.series(split, metric).tolist()


def test_a_last_line_still_being_written_is_left_out(make_run, tmp_path):
    folder = make_run(tmp_path / "run", done=2, status="running")
    whole = len(read_run(folder).events)
    with (folder / "progress.jsonl").open("a") as file:
        file.write('{"event": "rou')
    assert len(read_run(folder).events) == whole


def test_a_run_that_was_taken_up_again_is_read(make_run, tmp_path):
    """As a resumed run leaves it: its first process may have died within a line."""
    folder = make_run(tmp_path / "run", done=2, status="running")
    whole = len(read_run(folder).events)
    with (folder / "progress.jsonl").open("a") as file:
        file.write('{"event": "rou\n\n{"event": "taken-up"}\n\n{"event": "taken-up"}\n')
    assert [event["event"] for event in read_run(folder).events[whole:]] == ["taken-up"] * 2
    with (folder / "progress.jsonl").open("a") as file:
        file.write('{"event": "rou\n{"event": "resume"}\n')
    with pytest.raises(DataError, match="is not JSON"):
        read_run(folder)


def test_a_loss_that_is_no_number_is_kept(make_run, tmp_path):
    folder = make_run(tmp_path / "run", done=2)
    with (folder / "metrics.csv").open("a") as file:
        file.write("3,train,loss,nan\n4,train,loss,inf\n")
    loss = read_run(folder).series("train", "loss")
    assert math.isnan(loss[3])
    assert math.isinf(loss[4])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", "{", "cannot be read as JSON"),
        ("config.json", "[]", "holds a list; expected a dict"),
        ("status.json", "nonsense", "cannot be read as JSON"),
        ("progress.jsonl", "{}\nnonsense\n", "line 2, is not JSON"),
        ("progress.jsonl", "3\n", "line 1, holds 3; expected an object"),
        ("metrics.csv", "round,split\n1,base\n", "lacks the columns metric, value"),
        (
            "metrics.csv",
            "round,split,metric,value\n1,base,accuracy,high\n",
            "cannot be read as a table",
        ),
        ("classes.csv", '"', "cannot be read as a table"),
        ("shards.json", json.dumps([{"partition-id": 0}]), "does not describe shards"),
    ],
)
def test_a_broken_file_is_named(make_run, tmp_path, name, content, message):
    folder = make_run(tmp_path / "run", done=1)
    (folder / name).write_text(content)
    with pytest.raises(DataError, match=message) as caught:
        read_run(folder)
    assert str(folder / name) in str(caught.value)
