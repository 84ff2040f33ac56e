"""Federations that train on random crops repeat bit for bit, also over a server's death."""

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest
import torch
from federation_harness import final_tensors, run_federation, run_folder

from fedmvp_core.config import RunConfig
from server_app.records import run_folder as server_run_folder
from server_app.records.checkpoints import latest_round

CLIENTS, ROUNDS = 2, 3
Make = Callable[..., RunConfig]


def crops_run(make: Make, views: int, **more: Any) -> RunConfig:
    """FedMVP's and CAPT's objectives together read all that the frozen model has to say."""
    values: dict[str, Any] = {"method": "fedmvp-capt", "rounds": ROUNDS, "attack_steps": 1}
    values |= {"augmentation": "crops", "cached_views": views, "shots": 2, "partition": "iid"}
    return make(**(values | {"learning_rate": 0.05, "pretrained": "embedded"} | more))


def check_equal(one: RunConfig, other: RunConfig) -> None:
    found, expected = final_tensors(one), final_tensors(other)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(found[name], value), name


@pytest.mark.parametrize("views", [0, 2])
def test_a_run_repeats_itself_and_goes_on_after_a_kill(small_run: Make, views: int) -> None:
    whole = crops_run(small_run, views)
    run_federation(whole, CLIENTS)
    apart = whole.with_values(run_name="apart")
    run_federation(apart, CLIENTS, fresh_processes=True)
    check_equal(apart, whole)
    ended = whole.with_values(run_name="ended")
    child = os.fork()
    if child == 0:
        try:
            _die_in_round_two()
            run_federation(ended, CLIENTS)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    assert latest_round(run_folder(ended) / "checkpoints") == 1
    run_federation(ended.with_values(resume="latest"), CLIENTS)
    check_equal(ended, whole)


def test_crops_and_cached_views_change_what_is_learnt(small_run: Make) -> None:
    runs = [
        crops_run(small_run, views, rounds=1, run_name=f"{augmentation}-{views}")
        for augmentation, views in (("crops", 0), ("crops", 2), ("none", 0))
    ]
    runs[2] = runs[2].with_values(augmentation="none")
    for config in runs:
        run_federation(config, CLIENTS)
    learnt = [final_tensors(config)["value.weight"] for config in runs]
    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert not torch.equal(learnt[i], learnt[j])


def _die_in_round_two() -> None:
    append = server_run_folder.RunFolder.append_steps

    def dying(self: Any, round: int, split: str, steps: Any) -> None:
        append(self, round, split, steps)
        if round == 2:
            os.kill(os.getpid(), signal.SIGKILL)

    server_run_folder.RunFolder.append_steps = dying  # type: ignore[method-assign]
