"""PGD on the tuned model, beside as many passes of the bare encoder, and the papers' code."""

from functools import partial

import torch

from fedmvp_core.adversarial.perturbation import attack_mode
from fedmvp_core.local.attack import pgd_attack
from fedmvp_core.local.model import LocalModel
from fedmvp_core.seeding import generator
from simulations.bench.inputs import Inputs
from simulations.bench.local import Local, local
from simulations.bench.paired import Side, take_turns
from simulations.bench.record import Measured
from simulations.bench.step import FLOOR, OURS, RELEASED
from simulations.runner.client_cost import settle


def measure(inputs: Inputs) -> list[Measured]:
    """The attack in training of one batch."""
    client, sizes = local(inputs), inputs.sizes
    steps = client.config.attack.attack_steps
    sides: dict[str, Side] = {
        FLOOR: partial(_floor, client, steps),
        OURS: partial(_ours, client),
        RELEASED: client.released_attack,
    }
    values = take_turns(sides, sizes.turns, partial(settle, client.backbone.device))
    title = f"PGD-{steps} in training"
    return [Measured("attack", title, "s", OURS, values, sizes.batch, inputs.told())]


def _ours(client: Local) -> None:
    model = LocalModel(client.backbone, client.own, client.shard)
    attack = pgd_attack(client.config.attack)
    with attack_mode(client.own):
        attack(model, client.images, client.labels, generator(1, "attack"))


def _floor(client: Local, steps: int) -> None:
    """Gradients of the images alone, with ready-made prompts."""
    prompts = client.ready.detach()
    for _ in range(steps):
        images = client.images.clone().requires_grad_()
        torch.autograd.grad(client.ready_loss(images, prompts), images)
