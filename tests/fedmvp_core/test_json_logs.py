"""Logs as JSON lines."""

import io
import json
import logging
import subprocess
import sys
from datetime import datetime

import pytest

from fedmvp_core import json_logs
from fedmvp_core.json_logs import note, noting_apart, use_json_lines
from fedmvp_core.lockstep.jobs import Request, ask, play

NAME = "fedmvp_json_logs_of_the_tests"


@pytest.fixture
def log(monkeypatch):
    """A logger that writes JSON lines into the stream that comes with it."""
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setattr(json_logs, "_facts", {})
    logger = logging.getLogger(NAME)
    logger.handlers[:] = []
    logger.setLevel(logging.DEBUG)
    use_json_lines(NAME)
    yield logger, stream
    logger.handlers[:] = []


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_each_record_is_one_object(log):
    logger, stream = log
    logger.warning("%d replies,\nof them %s", 3, 'one "bad" ü')
    logger.getChild("child").info("below")
    first, second = lines(stream)
    assert first["level"] == "warning"
    assert first["message"] == '3 replies,\nof them one "bad" ü'
    assert (second["logger"], second["level"]) == (f"{NAME}.child", "info")
    time = datetime.fromisoformat(str(first["time"]))
    assert abs(time.timestamp() - datetime.now().timestamp()) < 60
    assert time.utcoffset() is not None


def test_what_was_noted_last_stands_on_every_line(log, monkeypatch):
    logger, stream = log
    # The formatter holds the mapping that it was made with.
    monkeypatch.setattr(json_logs, "_facts", logger.handlers[0].formatter._facts)
    logger.info("before")
    note(run_name="demo", round=1)
    note(round=2)
    logger.info("after")
    before, after = lines(stream)
    assert "round" not in before
    assert (after["run-name"], after["round"]) == ("demo", 2)


def test_a_traceback_is_part_of_its_line(log):
    logger, stream = log
    try:
        raise ValueError("too small")
    except ValueError:
        logger.exception("a round failed")
    (line,) = lines(stream)
    assert str(line["exception"]).endswith("ValueError: too small")


def test_empty_records_are_left_out(log):
    logger, stream = log
    logger.info("")
    logger.info("\t ")
    assert stream.getvalue() == ""


def test_asking_twice_writes_once(log):
    logger, stream = log
    use_json_lines(NAME)
    logger.info("once")
    assert len(lines(stream)) == 1


def test_flowers_own_records_are_lines_too_and_keep_its_level():
    """In a process of its own: Flower's logger is one for all tests."""
    code = (
        "from flwr.supercore.logger import FLOWER_LOGGER\n"
        "from fedmvp_core.json_logs import use_json_lines\n"
        "use_json_lines('flwr')\n"
        "FLOWER_LOGGER.debug('hidden')\n"
        "FLOWER_LOGGER.info('[ROUND 1]')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    (line,) = done.stderr.splitlines()
    assert json.loads(line)["message"] == "[ROUND 1]"


def test_what_one_of_several_clients_notes_is_for_its_lines_alone(log):
    logger, stream = log

    def client(number: int) -> None:
        with noting_apart():
            note(client=number, round=2)
            ask(Request(0, "turn", list, number))  # the others note theirs meanwhile
            logger.warning("trained")

    note(run_name="small", round=1)
    play([lambda n=n: client(n) for n in range(2)])
    logger.warning("after")
    told = [tuple(line.get(k) for k in ("run-name", "client", "round")) for line in lines(stream)]
    assert told == [("small", 0, 2), ("small", 1, 2), ("small", None, 1)]
