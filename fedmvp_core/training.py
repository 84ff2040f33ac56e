"""Local training: plain SGD on prompt tensors over one shard."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from fedmvp_core.backbone import Backbone, FeatureCache, cached_image_features
from fedmvp_core.config import RunConfig
from fedmvp_core.data.shards import Shard
from fedmvp_core.errors import FedMVPError
from fedmvp_core.methods import Method
from fedmvp_core.objectives import Batch
from fedmvp_core.prompting import Features, Prompting
from fedmvp_core.seeding import generator
from fedmvp_core.tasks import EncodedTask, encode_task

FLIP_PROBABILITY = 0.5  # of the view x' whose frozen feature is the consistency target


@dataclass(frozen=True)
class PreparedShard:
    """A shard on its device, with everything frozen already encoded.

    images: (n, 3, size, size) uint8. labels: (n,). frozen_views: (2, n, d), unit frozen features of
    the images and of their mirror images.
    """

    partition_id: int
    images: Tensor
    labels: Tensor
    frozen_views: Tensor
    task: EncodedTask


@dataclass(frozen=True)
class TrainingResult:
    """mean_loss over all batches, last_loss of the last one; seconds of local work."""

    mean_loss: float
    last_loss: float
    seconds: float


def prepare_shard(backbone: Backbone, shard: Shard, cache: FeatureCache) -> PreparedShard:
    """Move a shard to the backbone's device and encode what stays frozen, once."""
    images = shard.images.images.to(backbone.device)
    frozen_views = torch.stack(
        [cached_image_features(backbone, view, cache) for view in (images, images.flip(-1))]
    )
    return PreparedShard(
        partition_id=shard.partition_id,
        images=images,
        labels=shard.images.labels.to(backbone.device),
        frozen_views=frozen_views,
        task=encode_task(backbone, shard.task, cache),
    )


def learning_rate(config: RunConfig, round: int) -> float:
    """Cosine from learning-rate to nearly 0 over the rounds (1-based)."""
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * (round - 1) / config.rounds))


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
        FedMVPError: the loss is not finite; the message names client, round and step.
    """
    started = time.perf_counter()
    if method.objective is None:
        raise FedMVPError(f"method '{method.name}' trains nothing")
    objective = method.objective(config)
    method.begin_phase(prompting, phase, config)
    trained = _select_trained(prompting, phase)
    optimizer = torch.optim.SGD(
        trained,
        lr=learning_rate(config, round),
        momentum=config.momentum,
        weight_decay=config.weight_decay,
    )
    draw = generator(config.seed, "local training", round, shard.partition_id)

    def predict(images: Tensor) -> tuple[Features, Tensor]:
        features = prompting(backbone, images, shard.task)
        return features, features.logits(backbone.logit_scale)

    losses: list[Tensor] = []
    for _ in range(config.local_epochs):
        for batch in _batches(shard, config.batch_size, draw):
            loss = objective(predict, batch)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
    history = torch.stack(losses).tolist()  # one transfer from the device, after the last step
    _check_finite(history, shard.partition_id, round)
    return TrainingResult(
        mean_loss=sum(history) / len(history),
        last_loss=history[-1],
        seconds=time.perf_counter() - started,
    )


def _select_trained(prompting: Prompting, phase: str) -> list[torch.nn.Parameter]:
    """Only the phase's tensors ask for gradients."""
    names = set(prompting.phase_tensors(phase))
    for name, parameter in prompting.named_parameters():
        parameter.requires_grad_(name in names)
    return [parameter for parameter in prompting.parameters() if parameter.requires_grad]


def _batches(shard: PreparedShard, batch_size: int, draw: torch.Generator) -> Iterator[Batch]:
    """One epoch in a drawn order; the last batch may be smaller, and is trained too."""
    order = torch.randperm(len(shard.labels), generator=draw)
    flipped = (torch.rand(len(order), generator=draw) < FLIP_PROBABILITY).long()
    order, flipped = order.to(shard.labels.device), flipped.to(shard.labels.device)
    for at, view in zip(order.split(batch_size), flipped.split(batch_size), strict=True):
        images = shard.images[at].float() / 255
        yield Batch(images, shard.labels[at], shard.frozen_views[view, at])


def _check_finite(history: list[float], partition_id: int, round: int) -> None:
    for step, loss in enumerate(history, start=1):
        if not math.isfinite(loss):
            raise FedMVPError(
                f"the loss of client {partition_id} is {loss} at step {step} of round {round}; "
                "a smaller learning-rate may help"
            )
