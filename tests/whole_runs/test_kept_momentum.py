"""keep-momentum: a client's optimiser lives on over rounds, processes and the server's death."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from federation_harness import SerialGrid, final_tensors, run_federation, run_folder
from flwr.app import ArrayRecord, Message
from torch import Tensor

from client_app.kept import Keeper
from fedmvp_core.config import RunConfig
from server_app.records.checkpoints import latest_round

Make = Callable[..., RunConfig]
CLIENTS, ROUNDS = 2, 3


@pytest.fixture
def config(small_run: Make) -> RunConfig:
    """A full round, then LoRA; several steps a round."""
    return small_run(
        keep_momentum=True,
        rounds=ROUNDS,
        learning_rate=0.05,
        batch_size=4,
        local_epochs=1,
        **{"method.lora-threshold": 1e9, "method.lora-init": "normal"},
    )


def kept_by(grid: SerialGrid) -> list[dict[str, Tensor]]:
    records = [context.state.array_records["kept-tensors"] for context in grid.contexts.values()]
    return [dict(record.to_torch_state_dict()) for record in records]


def check_equal(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(found[name], value), name


def names_in(messages: list[Message]) -> set[str]:
    return {
        name
        for message in messages
        if message.has_content()
        for record in message.content.values()
        if isinstance(record, ArrayRecord)
        for name in record
    }


def test_buffers_stay_with_their_client(config: RunConfig) -> None:
    grid = run_federation(config, CLIENTS)
    assert not [name for name in names_in([*grid.sent, *grid.replies]) if "momentum" in name]
    first, second = kept_by(grid)
    tensors = final_tensors(config)
    assert set(first) == {f"/momentum/{name}" for name in tensors}, "of both phases"
    assert first["/momentum/value.weight"].any()
    assert not torch.equal(first["/momentum/value.weight"], second["/momentum/value.weight"])


def test_they_change_what_is_learnt(config: RunConfig) -> None:
    run_federation(config, CLIENTS)
    afresh = config.with_values(run_name="afresh", keep_momentum=False)
    grid = run_federation(afresh, CLIENTS)
    assert not any("kept-tensors" in context.state for context in grid.contexts.values())
    found, expected = final_tensors(config), final_tensors(afresh)
    assert not torch.equal(found["lora.value.up"], expected["lora.value.up"])


def test_they_outlive_processes(config: RunConfig) -> None:
    expected = kept_by(run_federation(config, CLIENTS))
    other = config.with_values(run_name="other")
    found = kept_by(run_federation(other, CLIENTS, fresh_processes=True))
    check_equal(final_tensors(other), final_tensors(config))
    for own, wanted in zip(found, expected, strict=True):
        check_equal(own, wanted)


@pytest.mark.parametrize("victim", range(CLIENTS))
def test_a_run_that_is_killed_goes_on_with_them(config: RunConfig, victim: int) -> None:
    """SIGKILL in round 2, when a client has already kept the momentum of that round."""
    run_federation(config, CLIENTS)
    ended = config.with_values(run_name="ended")
    child = os.fork()
    if child == 0:
        try:
            Keeper.keep = _dying(Keeper.keep, victim)  # type: ignore[method-assign]
            run_federation(ended, CLIENTS)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    assert latest_round(run_folder(ended) / "checkpoints") == 1
    files = sorted(path.name for path in Path(ended.run.cache_dir).rglob("round-0002.safetensors"))
    assert len(files) > CLIENTS, "those of the undisturbed run, and of the killed one"
    run_federation(ended.with_values(resume="latest"), CLIENTS)
    check_equal(final_tensors(ended), final_tensors(config))


def _dying(keep: Callable[..., None], victim: int) -> Callable[..., None]:
    def keep_and_die(self: Keeper, state: Any, tensors: Any, round: int) -> None:
        keep(self, state, tensors, round)
        if round == 2 and self.folder.name == f"client-{victim}":
            os.kill(os.getpid(), signal.SIGKILL)

    return keep_and_die
