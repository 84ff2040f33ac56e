"""What it gains that clients share a batch of the backbone (clients-per-batch)."""

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch

from fedmvp_core.backbone import Backbone
from fedmvp_core.config import RunConfig, Scalar
from fedmvp_core.local.model import LocalRound
from fedmvp_core.local.shard import PreparedShard
from fedmvp_core.lockstep.jobs import play, taking_part
from fedmvp_core.methods import find_method
from fedmvp_core.training import train_locally
from simulations.bench.inputs import Inputs
from simulations.bench.paired import Side, take_turns
from simulations.bench.record import Measured
from simulations.plugins.examples import CLASSES, IMAGES, example_shard
from simulations.runner.client_cost import settle

CLIENTS = 8
STEPS = 4  # of each client in a turn
ALONE, TOGETHER = "one after the other", "in one batch"


def measure(inputs: Inputs) -> list[Measured]:
    """Steps of all clients, one client after the other and in lock step.

    Clients hold noise pictures of three classes. Facts: the most GPU memory of each side.
    """
    sizes, config, backbone = inputs.sizes, inputs.config(), inputs.backbone()
    found = []
    for clients in sizes.clients or (CLIENTS,):
        jobs = [_client(backbone, config, number) for number in range(clients)]
        sides: dict[str, Side] = {
            ALONE: partial(_each, jobs),
            TOGETHER: partial(play, jobs),
        }
        values = take_turns(sides, sizes.turns, partial(settle, backbone.device))
        memory = {name: _most_memory(side, backbone.device) for name, side in sides.items()}
        facts = {"GB of GPU memory": memory} if backbone.device.type == "cuda" else {}
        told: dict[str, Scalar] = {**inputs.told(), "method": config.model.method}
        told |= {"clients": clients, "steps": STEPS}
        images = clients * STEPS * config.training.batch_size
        title = f"{clients} clients"
        found.append(Measured("cohort", title, "s", ALONE, values, images, told, facts))
    return found


def _each(jobs: list[Callable[[], None]]) -> None:
    for job in jobs:
        job()


def _client(backbone: Backbone, config: RunConfig, number: int) -> Callable[[], None]:
    """A client's round of STEPS steps, with its own module and pictures."""
    one = config.with_values(local_epochs=1)
    method, shard = find_method(one), _shard(backbone, number, STEPS * one.training.batch_size)
    start = method.build_prompting(backbone, CLASSES)

    def train() -> None:
        prompting = copy.deepcopy(start)
        round = LocalRound(phase=method.phases[0], received=prompting.prompt_tensors())
        with taking_part():
            train_locally(backbone, prompting, method, shard, one, round)

    return train


def _shard(backbone: Backbone, number: int, images: int) -> PreparedShard:
    shard = example_shard(backbone)
    rows = torch.arange(images, device=backbone.device) % IMAGES
    return replace(
        shard,
        partition_id=number,
        images=shard.images[rows],
        labels=shard.labels[rows],
        frozen_views=shard.frozen_views[:, rows],
    )


def _most_memory(side: Side, device: torch.device) -> float:
    """GB; 0 on a CPU."""
    if device.type != "cuda":
        return 0.0
    torch.cuda.reset_peak_memory_stats(device)
    side()
    return round(torch.cuda.max_memory_allocated(device) / 1e9, 2)
