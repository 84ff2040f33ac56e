"""Local training: plain SGD on prompt tensors over one shard."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from fedmvp_core.adversarial.perturbation import attack_mode
from fedmvp_core.backbone import Backbone
from fedmvp_core.config import RunConfig
from fedmvp_core.errors import FedMVPError
from fedmvp_core.local.attack import TrainingAttack
from fedmvp_core.local.model import LocalModel
from fedmvp_core.local.shard import PreparedShard
from fedmvp_core.logits import class_logits
from fedmvp_core.methods import Method
from fedmvp_core.objectives import Batch
from fedmvp_core.prompting import Features, Prompting
from fedmvp_core.seeding import generator

FLIP_PROBABILITY = 0.5  # of the view x' whose frozen feature is the consistency target


@dataclass(frozen=True)
class TrainingResult:
    """seconds of local work; steps: what each step measured, by name, "loss" among them."""

    seconds: float
    steps: dict[str, list[float]]

    @property
    def mean_loss(self) -> float:
        """Over all steps."""
        return sum(self.steps["loss"]) / len(self.steps["loss"])

    @property
    def last_loss(self) -> float:
        """Of the last step."""
        return self.steps["loss"][-1]


def learning_rate(config: RunConfig, round: int) -> float:
    """Cosine from learning-rate to nearly 0 over the rounds (1-based)."""
    return (
        config.training.learning_rate
        * 0.5
        * (1 + math.cos(math.pi * (round - 1) / config.federation.rounds))
    )


def train_locally(
    backbone: Backbone,
    prompting: Prompting,
    method: Method,
    shard: PreparedShard,
    config: RunConfig,
    round: int,
    phase: str,
) -> TrainingResult:
    """Train the phase's prompt tensors in place for `local-epochs` epochs; every batch is a step.

    The optimiser starts afresh each round, so a client keeps nothing of it between rounds.

    Raises:
        FedMVPError: the loss is not finite, or a multi-label client has one class alone; the
            message names the client.
    """
    started = time.perf_counter()
    if method.objective is None:
        raise FedMVPError(f"method '{method.name}' trains nothing")
    _check_classes(shard)
    objective = method.objective(config)
    method.begin_phase(prompting, phase, config)
    trained = _select_trained(prompting, phase)
    optimizer = torch.optim.SGD(
        trained,
        lr=learning_rate(config, round),
        momentum=config.training.momentum,
        weight_decay=config.training.weight_decay,
    )
    draw = generator(config.run.seed, "local training", round, shard.partition_id)
    attack_draw = generator(config.run.seed, "attack in training", round, shard.partition_id)
    attack = method.attack(config) if method.attack is not None else None
    measured: list[dict[str, Tensor]] = []
    for _ in range(config.training.local_epochs):
        for batch in _batches(backbone, shard, config.training.batch_size, draw):
            model = LocalModel(backbone, prompting, shard)
            if attack is not None:
                batch = _attacked(model, attack, batch, attack_draw)
            loss = objective(model.predict, batch)
            optimizer.zero_grad(set_to_none=True)
            loss.value.backward()
            optimizer.step()
            measured.append({"loss": loss.value.detach(), **loss.measured})
    # One transfer from the device for each quantity, after the last step.
    steps = {name: torch.stack([step[name] for step in measured]).tolist() for name in measured[0]}
    _check_finite(steps["loss"], shard.partition_id, round)
    return TrainingResult(time.perf_counter() - started, steps)


def _check_classes(shard: PreparedShard) -> None:
    """A label's logit is what sets its class apart from all: one class alone has none."""
    task = shard.task.task
    if task.multi_label and len(task.class_names) == 1:
        raise FedMVPError(
            f"client {shard.partition_id} holds images of '{task.class_names[0]}' alone; several "
            "labels an image need 2 classes or more at each client: use fewer clients, or another "
            "partition"
        )


def _attacked(
    model: LocalModel, attack: TrainingAttack, batch: Batch, draw: torch.Generator
) -> Batch:
    """The batch with the attack's answer to it; prompt tensors get no gradients meanwhile."""
    with attack_mode(model.prompting):
        labels = model.shard.attack_labels(batch.labels)
        return batch._replace(adversarial=attack(model, batch.images, labels, draw))


def _select_trained(prompting: Prompting, phase: str) -> list[torch.nn.Parameter]:
    """Only the phase's tensors ask for gradients."""
    names = set(prompting.phase_tensors(phase))
    for name, parameter in prompting.named_parameters():
        parameter.requires_grad_(name in names)
    return [parameter for parameter in prompting.parameters() if parameter.requires_grad]


def _batches(
    backbone: Backbone, shard: PreparedShard, batch_size: int, draw: torch.Generator
) -> Iterator[Batch]:
    """One epoch in a drawn order; the last batch may be smaller, and is trained too."""
    frozen_features = Features(shard.frozen_views[0], shard.task.zero_shot_features)
    frozen_logits = class_logits(frozen_features, shard.task, backbone.logit_scale)
    order = torch.randperm(len(shard.labels), generator=draw)
    flipped = (torch.rand(len(order), generator=draw) < FLIP_PROBABILITY).long()
    order, flipped = order.to(shard.labels.device), flipped.to(shard.labels.device)
    for at, view in zip(order.split(batch_size), flipped.split(batch_size), strict=True):
        images = shard.images[at].float() / 255
        frozen = shard.frozen_views[view, at], frozen_logits[at]
        yield Batch(images, shard.labels[at], *frozen, adversarial=images)


def _check_finite(history: list[float], partition_id: int, round: int) -> None:
    for step, loss in enumerate(history, start=1):
        if not math.isfinite(loss):
            raise FedMVPError(
                f"the loss of client {partition_id} is {loss} at step {step} of round {round}; "
                "a smaller learning-rate may help"
            )
