"""Class probabilities of test images, beside the bare encoder and the papers' code."""

from functools import partial

import torch

from fedmvp_core.evaluation import predict_probabilities
from simulations.bench.inputs import Inputs
from simulations.bench.local import Local, local
from simulations.bench.paired import take_turns
from simulations.bench.record import Measured
from simulations.bench.step import FLOOR, OURS, RELEASED
from simulations.runner.client_cost import settle


def measure(inputs: Inputs) -> list[Measured]:
    """One batch of test images, with the prompts that the tuned model makes for them."""
    client, sizes = local(inputs), inputs.sizes
    sides = {
        FLOOR: partial(_floor, client),
        OURS: partial(_ours, client),
        RELEASED: partial(_released, client),
    }
    values = take_turns(sides, sizes.turns, partial(settle, client.backbone.device))
    title = "evaluation of a batch"
    return [Measured("evaluation", title, "s", OURS, values, sizes.batch, inputs.told())]


@torch.no_grad()
def _floor(client: Local) -> None:
    client.backbone.encode_image(client.shard.images)


def _ours(client: Local) -> None:
    predict_probabilities(client.backbone, client.own, client.shard.task, client.shard.images)


@torch.no_grad()
def _released(client: Local) -> None:
    """Its forward is that of training: text, and the frozen view, for every batch."""
    with client.autocast():
        client.released(client.images, client.released_view())[0].softmax(dim=-1).cpu()
