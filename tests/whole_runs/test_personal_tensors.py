"""A method whose clients keep a tensor to themselves: it never travels, and outlives rounds."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from federation_harness import (
    SerialGrid,
    final_tensors,
    run_federation,
    run_folder,
)
from flwr.app import ArrayRecord, Message, MessageType
from personal_frame import PersonalFrame
from plugins import install
from torch import Tensor

from fedmvp_core import protocol
from fedmvp_core.backbone import Backbone
from fedmvp_core.config import RunConfig
from fedmvp_core.data.catalogue import ClassWords
from fedmvp_core.methods.method import Method
from fedmvp_core.prompting import Prompting
from fedmvp_core.registry import METHODS
from fedmvp_core.run_folder import read_status
from simulations.runner.inline import play

Make = Callable[..., RunConfig]
CLIENTS = 3
WIDTH = 128


def build(backbone: Backbone, options: Any, words: ClassWords) -> Prompting:
    return PersonalFrame(WIDTH)


@pytest.fixture
def run(small_run: Make, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Runs of the method, with several steps a round over classes of both domains."""
    install(monkeypatch, METHODS, "personal", Method("personal", "a test", build, "cross-entropy"))

    def make(**overrides: Any) -> RunConfig:
        several: dict[str, Any] = {"method": "personal", "partition": "iid", "rounds": 3}
        return small_run(**(several | {"local_epochs": 2, "batch_size": 4} | overrides))

    return make


def kept_by(grid: SerialGrid) -> list[dict[str, Tensor]]:
    """What each client's state holds after the run."""
    records = [context.state.array_records["kept-tensors"] for context in grid.contexts.values()]
    return [record.to_torch_state_dict() for record in records]


def arrays_of(messages: list[Message]) -> list[set[str]]:
    return [
        set(record)
        for message in messages
        if message.has_content()
        for record in message.content.values()
        if isinstance(record, ArrayRecord)
    ]


def equal(found: dict[str, Tensor], expected: dict[str, Tensor]) -> bool:
    return found.keys() == expected.keys() and all(
        torch.equal(value, found[name]) for name, value in expected.items()
    )


def round_of(message: Message) -> int:
    if message.metadata.message_type != MessageType.TRAIN:
        return 0
    return int(message.content.config_records[protocol.CONFIG][protocol.ROUND])  # type: ignore[arg-type]


def test_personal_tensors_never_travel(run: Make) -> None:
    config = run(fraction_evaluate=1.0)
    grid = run_federation(config, CLIENTS)
    sent, replied = arrays_of(grid.sent), arrays_of(grid.replies)
    assert {"shared", "other"} in sent
    assert {"shared", "other"} in replied
    assert not [names for names in (*sent, *replied) if "own" in names]
    for path in (run_folder(config) / "checkpoints").glob("*.safetensors"):
        assert b"own" not in path.read_bytes()[:400]
    assert set(final_tensors(config)) == {"shared", "other"}
    assert read_status(run_folder(config))["status"] == "completed"


def test_clients_keep_different_ones(run: Make) -> None:
    kept = kept_by(run_federation(run(), CLIENTS))
    assert [set(tensors) for tensors in kept] == [{"own"}] * CLIENTS
    start = PersonalFrame(WIDTH).own
    owns = [start, *(tensors["own"] for tensors in kept)]
    for number, value in enumerate(owns):
        assert not any(torch.equal(value, other) for other in owns[number + 1 :])


def test_they_are_those_of_the_round_before(run: Make) -> None:
    """A client that loses its own goes another way, with the same messages from the server."""
    config, losing = run(), run(run_name="losing")
    whole = run_federation(config, CLIENTS)
    grid = SerialGrid(losing, CLIENTS)

    def lose(message: Message, partition_id: int) -> Message | None:
        if round_of(message) == 3 and partition_id == 1:
            del grid.contexts[message.metadata.dst_node_id].state["kept-tensors"]
            for path in Path(losing.run.cache_dir).rglob("client-1/*.safetensors"):
                path.unlink()
        return None

    grid.intercept = lose
    play(losing, grid)
    assert not torch.equal(kept_by(whole)[1]["own"], kept_by(grid)[1]["own"])
    assert torch.equal(kept_by(whole)[0]["own"], kept_by(grid)[0]["own"])
    assert not equal(final_tensors(losing), final_tensors(config))


def test_they_outlive_processes_and_the_server(run: Make) -> None:
    config, ended = run(), run(run_name="ended")
    expected = kept_by(run_federation(config, CLIENTS))

    def end(message: Message, partition_id: int) -> Message | None:
        if round_of(message) == 3 and partition_id == 2:
            raise KeyboardInterrupt
        return None

    with pytest.raises(KeyboardInterrupt):
        run_federation(ended, CLIENTS, intercept=end)
    resumed = ended.with_values(resume="latest")
    found = kept_by(run_federation(resumed, CLIENTS, fresh_processes=True))
    assert equal(final_tensors(ended), final_tensors(config))
    assert all(equal(tensors, expected[i]) for i, tensors in enumerate(found))


def test_scaffold_leaves_them_alone(run: Make) -> None:
    config = run(aggregation="scaffold")
    grid = run_federation(config, CLIENTS)
    assert set(kept_by(grid)[0]) == {"own", "scaffold/shared", "scaffold/other"}
    assert {n for names in arrays_of(grid.sent) for n in names} == {
        "shared",
        "other",
        "term/scaffold/shared",
        "term/scaffold/other",
    }
