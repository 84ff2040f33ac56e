"""A run whose server was killed goes on from its last checkpoint as if nothing had been."""

import csv
import json
import logging
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from federation_harness import final_tensors, metric_rows, run_federation, run_folder
from flwr.app import MessageType

from fedmvp_core import protocol
from fedmvp_core.config import RunConfig
from fedmvp_core.errors import CheckpointError, ConfigError
from fedmvp_core.json_logs import logger
from server_app.evaluation.examiner import Examiner
from server_app.records import checkpoints
from server_app.records import run_folder as server_run_folder
from server_app.records.checkpoints import latest_round

Make = Callable[..., RunConfig]
CLIENTS = 2
ROUNDS = 3
# What depends on the clock, or on what a client still held when the run went on.
_UNEQUAL = ("seconds", "bytes-down", "images-encoded", "sentences-encoded")


@pytest.fixture
def config(small_run: Make) -> RunConfig:
    """Full phase, then LoRA, then a round that follows from both; everybody tests every round."""
    return small_run(
        rounds=ROUNDS,
        learning_rate=0.05,
        evaluate_every=1,
        fraction_evaluate=1.0,
        momentum=0.5,
        local_epochs=1,
        shots=2,
        **{"method.lora-threshold": 1e9, "method.lora-init": "normal"},
    )


@pytest.fixture(scope="module")
def undisturbed() -> dict[str, Any]:
    """Tensors and rows of the run that nobody killed, filled by the first test that asks."""
    return {}


def left_by(config: RunConfig) -> dict[str, Any]:
    with (run_folder(config) / "steps.csv").open(newline="") as file:
        steps = list(csv.reader(file))
    rows = [row for row in metric_rows(config) if row[2] not in _UNEQUAL]
    return {"tensors": final_tensors(config), "rows": rows, "steps": steps}


def check_equal(config: RunConfig, undisturbed: dict[str, Any], make: Make) -> None:
    """The tensors bit for bit, and every row and step."""
    if not undisturbed:
        other = config.with_values(run_name="undisturbed", resume="")
        run_federation(other, CLIENTS)
        undisturbed |= left_by(other)
    found = left_by(config)
    assert found["tensors"].keys() == undisturbed["tensors"].keys()
    for name, value in undisturbed["tensors"].items():
        assert torch.equal(found["tensors"][name], value), name
    assert sorted(found["rows"]) == sorted(undisturbed["rows"])
    assert found["steps"] == undisturbed["steps"]
    assert (run_folder(config) / "classes.csv").exists()
    status = json.loads((run_folder(config) / "status.json").read_text())
    assert (status["status"], status["rounds-completed"]) == ("completed", ROUNDS)
    hidden = [path for path in run_folder(config).rglob(".*") if path.is_file()]
    assert not hidden, "nothing half-written is left"


def killed(config: RunConfig, arrange: Callable[[], None]) -> None:
    """Run in a process of its own, which is killed where `arrange` lets it die."""
    child = os.fork()
    if child == 0:
        try:
            arrange()
            run_federation(config, CLIENTS)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "it was to be killed and ended otherwise"
    assert os.WTERMSIG(status) == signal.SIGKILL


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def resumed(config: RunConfig) -> RunConfig:
    return config.with_values(resume="latest")


def _die_in_write(name: str, half: bool) -> None:
    write = checkpoints._write

    def dying(path: Path, data: bytes) -> None:
        if path.name.startswith(f".{name}"):
            path.write_bytes(data[: len(data) // 2] if half else data)
            die()
        write(path, data)

    checkpoints._write = dying


def _die_in_round_two(owner: Any, name: str, after: bool = False) -> None:
    """Let a method die that takes the round first."""
    original = getattr(owner, name)

    def dying(self: Any, round: int, *rest: Any, **more: Any) -> Any:
        result = original(self, round, *rest, **more) if after or round != 2 else None
        return die() if round == 2 else result

    setattr(owner, name, dying)


def _die_in_steps() -> None:
    append = server_run_folder.RunFolder.append_steps

    def dying(self: Any, round: int, split: str, steps: Any) -> None:
        append(self, round, split, steps)
        if round == 2:
            with (self.path / "steps.csv").open("a") as file:
                file.write("2,client-00")
            with (self.path / "progress.jsonl").open("a") as file:
                file.write('{"event": "rou')
            die()

    server_run_folder.RunFolder.append_steps = dying


POINTS: dict[str, tuple[Callable[[], None], int]] = {
    "while the round is recorded": (_die_in_steps, 1),
    "between its files": (lambda: _die_in_write("round-0002.safetensors", half=False), 1),
    "in its tensors": (lambda: _die_in_write("round-0002.safetensors", half=True), 1),
    "before it is tested": (lambda: _die_in_round_two(Examiner, "test"), 2),
    "before the clients test it": (lambda: _die_in_round_two(Examiner, "test", after=True), 2),
}


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_run_goes_on_and_ends_the_same(
    config: RunConfig, small_run: Make, undisturbed: dict[str, Any], point: str
) -> None:
    arrange, kept = POINTS[point]
    killed(config, arrange)
    assert latest_round(run_folder(config) / "checkpoints") == kept
    grid = run_federation(resumed(config), CLIENTS)
    trained = [m for m in grid.sent if m.metadata.message_type == MessageType.TRAIN]
    first = trained[0].content.config_records[protocol.CONFIG]
    assert (first[protocol.ROUND], first[protocol.CACHED_ROUND], first[protocol.PHASE]) == (
        kept + 1,
        0,
        "lora",
    )
    assert len(trained) == CLIENTS * (ROUNDS - kept)
    check_equal(config, undisturbed, small_run)


def test_a_damaged_last_checkpoint_costs_its_round_alone(
    config: RunConfig,
    small_run: Make,
    undisturbed: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_federation(config, CLIENTS)
    last = run_folder(config) / "checkpoints" / "round-0003.safetensors"
    data = bytearray(last.read_bytes())
    data[-3] ^= 1  # one bit of a number: the file can still be read
    last.write_bytes(data)
    monkeypatch.setattr(logger, "propagate", True)
    monkeypatch.setattr(logging.getLogger("flwr"), "propagate", True)
    with caplog.at_level(logging.WARNING):
        run_federation(resumed(config), CLIENTS)
    assert "round-0003.safetensors' cannot be read: its SHA-256" in caplog.text
    check_equal(config, undisturbed, small_run)


def test_a_completed_run_is_left_as_it_is(
    config: RunConfig, small_run: Make, undisturbed: dict[str, Any]
) -> None:
    run_federation(config, CLIENTS)
    before = (run_folder(config) / "metrics.csv").read_bytes()
    grid = run_federation(resumed(config), CLIENTS)
    assert {m.metadata.message_type for m in grid.sent} == {MessageType.QUERY}
    assert (run_folder(config) / "metrics.csv").read_bytes() == before
    check_equal(config, undisturbed, small_run)


def test_without_a_run_it_begins_anew(
    config: RunConfig, small_run: Make, undisturbed: dict[str, Any]
) -> None:
    run_federation(resumed(config), CLIENTS)
    check_equal(config, undisturbed, small_run)


def test_another_run_is_not_taken_up(small_run: Make) -> None:
    config = small_run(rounds=1)
    run_federation(config, CLIENTS)
    before = {p: p.read_bytes() for p in run_folder(config).rglob("*") if p.is_file()}
    other = small_run(rounds=2, seed=5, resume="latest", cache_dir=config.run.cache_dir + "2")
    sentence = r"another configuration: seed \(was 1, is 5\), rounds \(was 1, is 2\); allowed"
    with pytest.raises(ConfigError, match=sentence):
        run_federation(other, CLIENTS)
    assert {p: p.read_bytes() for p in run_folder(config).rglob("*") if p.is_file()} == before
    with pytest.raises(ConfigError, match=r"the 3 clients do not hold what '.*shards.json' says"):
        run_federation(resumed(config), 3)


def test_a_run_of_which_nothing_is_usable_is_kept_for_its_owner(small_run: Make) -> None:
    config = small_run(rounds=1)
    run_federation(config, CLIENTS)
    for path in (run_folder(config) / "checkpoints").glob("*.safetensors"):
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="holds checkpoints and none can be used"):
        run_federation(resumed(config), CLIENTS)
    assert (run_folder(config) / "metrics.csv").exists()
