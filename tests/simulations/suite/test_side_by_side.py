"""Runs of a suite at once, in processes of their own."""

import io
import os
import signal
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from rich.console import Console
from safetensors.torch import load_file

from fedmvp_core.errors import ConfigError
from simulations.runner.named_runs import load_named_run
from simulations.runner.planning import plan_run
from simulations.suite.running import SuiteOptions, run_suite
from simulations.suite.side_by_side import Task, check_engine, side_by_side

SUITE = """
description = "two seeds of a method"
supernodes = 2
seeds = [1, 2]
[config]
dataset = "emojidomains"
pretrained = ""
shots = 1
rounds = 1
local-epochs = 1
evaluate-every = 1
robust-attack = "none"
method = "promptfl"
[runs.tuned]
"""


def test_each_end_is_told_whatever_becomes_of_the_others() -> None:
    tasks = [
        Task("good", partial(tuple, ("completed", ""))),
        Task("dies", partial(os._exit, 3)),
        Task("raises", partial(int, "no number")),
        Task("later", partial(tuple, ("completed", ""))),
    ]
    console = Console(file=io.StringIO(), width=200)
    ended = side_by_side(console, tasks, jobs=3)
    assert [status for status, _ in ended] == ["completed", "failed", "failed", "completed"]
    assert ended[1][1] == "its process ended with code 3"
    assert "invalid literal for int()" in ended[2][1]
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert said.index("starting later") > said.index("starting raises")
    assert "dies: failed after" in said


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Where the tests run in the background of a shell, SIGINT is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_ends_those_that_run_and_the_others_do_not_begin() -> None:
    console = Console(file=io.StringIO(), width=200)
    tasks = [Task("sleeps", partial(time.sleep, 600)), Task("never", partial(time.sleep, 600))]

    def interrupt() -> None:
        while "starting sleeps" not in console.file.getvalue():  # type: ignore[attr-defined]
            time.sleep(0.1)
        time.sleep(5)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    began = time.monotonic()
    ended = side_by_side(console, tasks, jobs=1)
    assert [status for status, _ in ended][1] == "interrupted"
    assert ended[0][0] in ("interrupted", "failed")  # before Python was ready it has no answer
    assert time.monotonic() - began < 300
    assert "starting never" not in console.file.getvalue()  # type: ignore[attr-defined]


def test_engines_with_processes_of_their_own_are_refused(tmp_path: Path) -> None:
    run = load_named_run("demo-short")
    plan = plan_run(run, {"output-dir": str(tmp_path)}, supernodes=2)
    check_engine([plan], 1)
    with pytest.raises(
        ConfigError, match="jobs is 2, but demo-short has engine 'ray', which plays"
    ):
        check_engine([plan], 2)


@pytest.mark.slow
def test_they_end_in_the_tensors_of_runs_one_after_the_other(tmp_path: Path) -> None:
    path = tmp_path / "pair.toml"
    path.write_text(SUITE)
    tables = []
    for jobs in (1, 2):
        console = Console(file=io.StringIO(), width=200)
        out = tmp_path / str(jobs)
        assert run_suite(console, str(path), SuiteOptions(out, jobs=jobs)) == 0
        tables.append((out / "pair.md").read_text())
    assert tables[0] == tables[1]
    for seed in (1, 2):
        one, other = (
            load_file(tmp_path / jobs / f"pair-tuned-seed{seed}/checkpoints/round-0001.safetensors")
            for jobs in ("1", "2")
        )
        assert one.keys() == other.keys()
        assert all(one[name].equal(other[name]) for name in one)
