"""The engine without processes: a run folder as any other's, its events, its ends."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fedmvp_core.config import RunConfig
from fedmvp_core.errors import ConfigError
from simulations.runner import inline
from simulations.runner.inline import run_inline
from simulations.runner.planning import INLINE, RAY, check_engine, small_engine

Make = Callable[..., RunConfig]


def test_a_run_leaves_its_folder_and_tells_its_events(
    small_run: Make, caplog: pytest.LogCaptureFixture
) -> None:
    config, heard = small_run(), []
    outcome = run_inline(config, 2, heard.append)
    assert (outcome.status, outcome.rounds_completed, outcome.error) == ("completed", 2, None)
    kinds = [event["event"] for event in heard]
    assert kinds[0] == "starting"
    assert kinds[-1] == "end"
    assert kinds.count("round") == 2
    written = (outcome.folder / "progress.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in written] == heard[1:]
    assert "round 2: 2 clients" in (outcome.folder / "app.log").read_text()
    said = [record.getMessage() for record in caplog.records if record.name.startswith("flwr")]
    assert said == [], "it would be printed over the bars"


def test_a_failed_run_says_why(small_run: Make) -> None:
    outcome = run_inline(small_run(shots=10_000, partition="pathological"), 50, lambda event: None)
    assert outcome.status == "failed"
    assert "use fewer clients" in str(outcome.error)


def test_an_interrupt_is_an_outcome(small_run: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: Any, **more: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(inline.InlineGrid, "send_and_receive", interrupted)
    outcome = run_inline(small_run(), 2, lambda event: None)
    assert (outcome.status, outcome.rounds_completed) == ("interrupted", 0)


def test_a_broken_off_run_is_resumed(small_run: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    undisturbed = run_inline(small_run(run_name="undisturbed"), 2, lambda event: None)
    rounds = iter(range(10))
    sent = inline.InlineGrid.send_and_receive

    def second_interrupted(grid: Any, messages: Any, *, timeout: float | None = None) -> Any:
        if next(rounds) == 1:
            raise KeyboardInterrupt
        return sent(grid, messages, timeout=timeout)

    monkeypatch.setattr(inline.InlineGrid, "send_and_receive", second_interrupted)
    assert run_inline(small_run(), 2, lambda event: None).rounds_completed == 1
    resumed = run_inline(small_run(resume="latest"), 2, lambda event: None)
    assert resumed.status == "completed"
    assert last(resumed.folder) == last(undisturbed.folder)


def last(folder: Path) -> bytes:
    return (folder / "checkpoints" / "round-0002.safetensors").read_bytes()


def test_many_small_federations_are_inline_unless_clients_train_side_by_side() -> None:
    assert small_engine(None, None) == INLINE
    assert small_engine(2, None) == RAY
    assert small_engine(None, 1) == RAY


@pytest.mark.parametrize(
    ("engine", "at_once", "message"),
    [("flower", None, "engine is 'flower'; allowed: inline, ray"), ("inline", 2, "--engine ray")],
)
def test_an_engine_that_cannot_be_is_refused(
    engine: str, at_once: int | None, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        check_engine(engine, at_once, None)


LONG = " ".join(["cat"] * 30)


def test_a_class_name_that_is_cut_ends_a_run_before_it_trains(small_run: Make) -> None:
    outcome = run_inline(small_run(template=f"{LONG} {{class}}."), 2, lambda event: None)
    assert (outcome.status, outcome.rounds_completed) == ("failed", 0)
    assert "which cuts the name of class" in str(outcome.error)


def test_how_the_weights_are_read_and_what_is_cut_is_in_the_log(small_run: Make) -> None:
    outcome = run_inline(small_run(template=f"{{class}} {LONG}"), 2, lambda event: None)
    log = (outcome.folder / "app.log").read_text()
    assert "activation: GELU, by the backbone's name 'tiny'" in log
    assert "reads 30 tokens and cuts the end of" in log
    environment = json.loads((outcome.folder / "environment.json").read_text())
    assert environment["activation"] == "GELU, by the backbone's name 'tiny'"
