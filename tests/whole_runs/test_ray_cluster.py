"""Runs on a standing Ray cluster of two nodes: the same bits, also when a node is killed."""

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from ray._private.node import Node
from ray.cluster_utils import Cluster
from run_configs import SHORT
from safetensors.torch import load_file
from torch import Tensor

from fedmvp_core.config import RunConfig
from fedmvp_core.run_folder import WORKER_LOST
from simulations.runner.inline import run_inline
from simulations.runner.named_runs import load_named_run
from simulations.runner.planning import plan_run
from simulations.runner.resources import Resources
from simulations.runner.simulate import RunOutcome, run_simulation

pytestmark = pytest.mark.slow
CLIENTS, ROUNDS = 4, 3
Event = Mapping[str, Any]


@pytest.fixture
def two_nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Node]]:
    """The address of a cluster of two nodes with a CPU and a made-up GPU each; the second node."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)  # the nodes' clients would have it too
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    folder = tempfile.mkdtemp(prefix="t-", dir="/tmp")  # short: Ray's sockets lie below it
    own: dict[str, Any] = {"num_cpus": 1, "num_gpus": 1, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args={**own, "temp_dir": folder})
    try:
        yield cluster.address, cluster.add_node(**own)
    finally:
        cluster.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


def small(folder: Path, name: str) -> dict[str, Any]:
    places = {"output-dir": str(folder), "cache-dir": str(folder / "cache"), "run-name": name}
    # One client is enough for a round to count, so a lost one must not be taken for a failed one.
    changes = {"pretrained": "", "robust-attack": "none", "rounds": ROUNDS, "min-clients": 1}
    return {**SHORT, **places, **changes, "evaluate-every": 100, "node-timeout": 600}


def tensors_of(outcome: RunOutcome) -> dict[str, Tensor]:
    assert outcome.status == "completed", outcome.error
    return load_file(outcome.folder / "checkpoints" / f"round-{ROUNDS:04d}.safetensors")


def same(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> bool:
    return found.keys() == wanted.keys() and all(torch.equal(found[n], wanted[n]) for n in wanted)


def joined(folder: Path, name: str, address: str) -> tuple[RunConfig, Resources]:
    """As `fedmvp run --ray-address` does: every node is asked for its versions before."""
    run = load_named_run("demo-short")
    plan = plan_run(run, small(folder, name), CLIENTS, ray_address=address)
    return plan.config, plan.resources


def run_on(folder: Path, name: str, address: str, on_event: Callable[[Event], None]) -> RunOutcome:
    config, resources = joined(folder, name, address)
    assert resources == Resources(2, 2, 1.0, address)
    return run_simulation(config, CLIENTS, resources, on_event)


def on_one(folder: Path) -> dict[str, Tensor]:
    """What the same run leaves that knows of no cluster."""
    plan = plan_run(load_named_run("demo-short"), small(folder, "inline"), CLIENTS, engine="inline")
    return tensors_of(run_inline(plan.config, CLIENTS, lambda event: None))


def test_two_nodes_leave_the_bits_of_one(tmp_path: Path, two_nodes: tuple[str, Node]) -> None:
    address, _ = two_nodes
    outcome = run_on(tmp_path, "two", address, lambda event: None)
    assert same(tensors_of(outcome), on_one(tmp_path))


def test_a_node_that_is_killed_in_a_round_costs_no_bit(
    tmp_path: Path, two_nodes: tuple[str, Node]
) -> None:
    address, second = two_nodes
    events: list[Event] = []

    def kill_after_a_round(event: Event) -> None:
        if event.get("event") == "round" and not any(e.get("event") == "round" for e in events):
            (raylet,) = second.all_processes["raylet"]
            os.kill(raylet.process.pid, signal.SIGKILL)
        events.append(event)

    outcome = run_on(tmp_path, "killed", address, kill_after_a_round)
    kinds = [event.get("event") for event in events]
    assert WORKER_LOST in kinds, "the node was killed too late for this test"
    rounds = [event for event in events if event.get("event") == "round"]
    assert [event["round"] for event in rounds] == [1, 2, 3]  # none that was finished is repeated
    assert all(event["clients"] == CLIENTS for event in rounds)
    assert same(tensors_of(outcome), on_one(tmp_path))
