"""Ceilings: models trained on the shards of all clients together, and not by prompts alone.

A federation may not pool its images. These figures only show how far prompt tuning gets between
zero-shot CLIP and a model that is free to change.

linear-probe   a logistic regression on frozen image features of the base classes; it has no column
               for a new class
fine-tuned     the whole image encoder, trained with cross-entropy against the frozen class features
"""

import copy
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from fedmvp_core.backbone import Backbone, FeatureCache, cached_image_features
from fedmvp_core.config import RunConfig
from fedmvp_core.data.image_set import ImageSet
from fedmvp_core.data.settings import Evaluation, Setting
from fedmvp_core.data.shards import make_shards
from fedmvp_core.errors import ConfigError
from fedmvp_core.metrics.names import of_metric
from fedmvp_core.prompting.none import NoPrompts
from fedmvp_core.seeding import generator, seeded_global_rng
from fedmvp_core.tasks import encode_task
from fedmvp_core.workspace import open_workspace
from server_app.evaluation.clean import CentralEvaluation

# Ordinary values, not searched: a better recipe may reach more.
FINE_TUNING_RATE, FINE_TUNING_EPOCHS, FINE_TUNING_BATCH = 1e-4, 20, 32
PROBE_STEPS, PROBE_DECAY = 200, 1e-4


@dataclass(frozen=True)
class _Pooled:
    """The shards of all clients in one place."""

    config: RunConfig
    backbone: Backbone
    setting: Setting
    images: ImageSet
    evaluation: CentralEvaluation
    cache: FeatureCache


def ceilings(config: RunConfig, clients: int) -> dict[str, dict[str, float]]:
    """Accuracies by split of each ceiling, for the shards of this configuration.

    clients: number of shards that are pooled. Returns: {"linear-probe": {"base": ...}, ...}.

    Raises:
        ConfigError: images have several labels; both ceilings are of one class an image.
    """
    pooled = _pool(config, clients)
    if pooled.images.multi_label:
        raise ConfigError(
            f"ceilings are for images with one label each; those of '{config.data.dataset}' have "
            "several"
        )
    return {"linear-probe": linear_probe(pooled), "fine-tuned": fine_tuned(pooled)}


def _pool(config: RunConfig, clients: int) -> _Pooled:
    # Weights of its own: fine-tuning changes them.
    opened = open_workspace(config, precision="fp32")
    setting = opened.setting
    shards = make_shards(setting, clients, config)
    names = [name for shard in shards for name in shard.images.names]
    positions = {name: i for i, name in enumerate(setting.train.names)}
    images = setting.train.select(torch.tensor([positions[name] for name in names]))
    evaluation = CentralEvaluation(opened.backbone, setting, shards, opened.cache)
    return _Pooled(config, opened.backbone, setting, images, evaluation, opened.cache)


def linear_probe(pooled: _Pooled) -> dict[str, float]:
    """Full-batch logistic regression on frozen features; tested on splits of trained classes."""
    train = _features(pooled, pooled.images)
    classes, width = len(pooled.images.class_names), train.shape[1]
    probe = torch.nn.Linear(width, classes)
    torch.nn.init.zeros_(probe.weight)
    torch.nn.init.zeros_(probe.bias)
    optimizer = torch.optim.LBFGS(
        probe.parameters(), max_iter=PROBE_STEPS, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        scores = probe(train) * pooled.backbone.logit_scale.cpu()
        decay = PROBE_DECAY * probe.weight.square().sum()
        loss: Tensor = F.cross_entropy(scores, pooled.images.labels) + decay
        loss.backward()
        return loss

    optimizer.step(closure)
    trained = set(pooled.images.class_names)
    reached = {
        split.name: _right(pooled, probe, split)
        for split in pooled.setting.evaluations
        if set(split.task.class_names) <= trained
    }
    return reached | dict(pooled.setting.summary(reached))


@torch.no_grad()
def _right(pooled: _Pooled, probe: torch.nn.Linear, split: Evaluation) -> float:
    """Accuracy among the split's own classes."""
    columns = [pooled.images.class_names.index(name) for name in split.task.class_names]
    guessed = probe(_features(pooled, split.images))[:, columns].argmax(dim=-1)
    return (guessed == split.images.labels).double().mean().item()


def _features(pooled: _Pooled, images: ImageSet) -> Tensor:
    pixels = images.images.to(pooled.backbone.device)
    return cached_image_features(pooled.backbone, pixels, pooled.cache).cpu()


def fine_tuned(pooled: _Pooled) -> dict[str, float]:
    """AdamW on every weight of the image encoder; then tested as zero-shot CLIP is."""
    task = pooled.setting.make_task(pooled.images.class_names)
    # Encoded before a weight moves, under the frozen weights' hash.
    targets = encode_task(pooled.backbone, task, pooled.cache).zero_shot_features
    frozen = copy.deepcopy(pooled.backbone.state_dict())
    tower = pooled.backbone.clip.visual
    tower.requires_grad_(True)
    with seeded_global_rng(pooled.config.run.seed, "fine-tuning"):
        _fine_tune(pooled, targets)
    tower.requires_grad_(False)
    accuracies = of_metric(pooled.evaluation(NoPrompts()), pooled.evaluation.headline)
    pooled.backbone.load_state_dict(frozen)
    return accuracies


def _fine_tune(pooled: _Pooled, targets: Tensor) -> None:
    backbone, images = pooled.backbone, pooled.images
    optimizer = torch.optim.AdamW(backbone.clip.visual.parameters(), lr=FINE_TUNING_RATE)
    draw = generator(pooled.config.run.seed, "fine-tuning order")
    steps = FINE_TUNING_EPOCHS * -(-len(images) // FINE_TUNING_BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
    for _ in range(FINE_TUNING_EPOCHS):
        for at in torch.randperm(len(images), generator=draw).split(FINE_TUNING_BATCH):
            pixels = images.images[at].to(backbone.device).float() / 255
            features = F.normalize(backbone.encode_image(pixels), dim=-1)
            logits = backbone.logit_scale * features @ targets.T
            loss = F.cross_entropy(logits, images.labels[at].to(backbone.device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
