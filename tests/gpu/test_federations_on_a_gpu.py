"""Whole federations on a CUDA device: in one process, and under Flower and Ray."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from federation_harness import final_tensors, metric_rows, run_federation, run_folder
from flwr.app import Message, MessageType

from fedmvp_core.config import RunConfig, parse_config
from simulations.runner.project import default_config as defaults
from simulations.runner.resources import choose_resources
from simulations.runner.simulate import run_simulation

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
CLIENTS = 3


def test_the_same_seed_gives_the_same_bits(small_run: Callable[..., RunConfig]) -> None:
    config = small_run(partition="iid", device="cuda", method="fedmvp-capt")
    run_federation(config, CLIENTS)
    first = final_tensors(config)
    run_federation(config, CLIENTS)
    assert all(value.equal(first[name]) for name, value in final_tensors(config).items())


def test_a_client_without_memory_is_an_error_and_the_next_round_goes_on(
    small_run: Callable[..., RunConfig],
) -> None:
    """What else is on the GPU leaves nothing for one client's round; its worker lives on."""
    hog: list[torch.Tensor] = []

    def crowd(message: Message, partition_id: int) -> None:
        hog.clear()
        torch.cuda.empty_cache()
        training = message.metadata.message_type == MessageType.TRAIN
        if training and partition_id == 1 and message.content["config"]["server-round"] == 1:
            free, _ = torch.cuda.mem_get_info()
            hog.append(torch.empty(free - 2**24, dtype=torch.uint8, device="cuda"))

    config = small_run(partition="iid", device="cuda", method="fedmvp-capt")
    run_federation(config, CLIENTS, intercept=crowd)
    rows = {(r, split, metric): value for r, split, metric, value in metric_rows(config)}
    assert rows[1, "train", "failed-clients"] == 1
    assert rows[2, "train", "failed-clients"] == 0
    assert rows[2, "train", "clients"] == CLIENTS


def test_memory_does_not_grow_from_round_to_round(small_run: Callable[..., RunConfig]) -> None:
    held: list[int] = []

    def look(message: Message, partition_id: int) -> None:
        if message.metadata.message_type == MessageType.TRAIN and partition_id == 0:
            held.append(torch.cuda.memory_allocated())

    config = small_run(partition="iid", device="cuda", method="fedmvp-capt", rounds=5)
    run_federation(config, CLIENTS, intercept=look)
    assert len(held) == 5
    assert held[-1] <= held[1]


@pytest.mark.slow
def test_ray_shares_a_gpu_among_clients(tmp_path: Path) -> None:
    """Three clients at once on one GPU end where one after the other does, bit for bit."""
    ends = []
    for name, per_gpu in (("one", 1), ("three", 3)):
        places = {"output-dir": str(tmp_path), "cache-dir": str(tmp_path / "c"), "run-name": name}
        short: dict[str, Any] = {"rounds": 2, "shots": 1, "robust-every": 0, "device": "cuda"}
        config = parse_config({**defaults(), **places, **short})
        resources = choose_resources(CLIENTS, "cuda", None, per_gpu)
        assert resources.clients_at_once == per_gpu
        outcome = run_simulation(config, CLIENTS, resources, lambda event: None)
        assert outcome.status == "completed", outcome.error
        told = json.loads((run_folder(config) / "environment.json").read_text())
        assert told["device"].startswith("cuda")
        ends.append(final_tensors(config))
    assert all(value.equal(ends[1][name]) for name, value in ends[0].items())
