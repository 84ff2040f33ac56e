"""A shard on its device, with everything frozen already encoded."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from fedmvp_core.backbone import Backbone, FeatureCache, cached_image_features
from fedmvp_core.backbone.transfer import move_images
from fedmvp_core.config import TrainingSection
from fedmvp_core.data.shards import Shard
from fedmvp_core.local.augmentation import random_crops
from fedmvp_core.seeding import generator
from fedmvp_core.tasks import EncodedTask, Task, encode_task


class CachedViews(NamedTuple):
    """Crops of each picture that are drawn once for a client.

    images: (views, n, 3, size, size) uint8. frozen_features: (views, n, d), unit.
    """

    images: Tensor
    frozen_features: Tensor


@dataclass(frozen=True)
class PreparedShard:
    """What local training reads.

    images: (n, 3, size, size) uint8. labels: (n,), or (n, classes) of 1, 0 and -1 (unknown).
    frozen_views: (2, n, d), unit frozen features of the images and of their mirror images.
    attack_task: the classes that an attack may aim at, and attack_rows: (classes,), where the
    client's own stand among them. cached_views: None: the run has none.
    """

    partition_id: int
    images: Tensor
    labels: Tensor
    frozen_views: Tensor
    task: EncodedTask
    attack_task: EncodedTask
    attack_rows: Tensor
    cached_views: CachedViews | None = None

    def attack_labels(self, labels: Tensor) -> Tensor:
        """The client's labels among the attacked classes: (batch,), or (batch, attacked classes).

        With several labels an image, what the client does not label is unknown, -1.
        """
        if not self.task.task.multi_label:
            return self.attack_rows[labels]
        every = labels.new_full((len(labels), len(self.attack_task.task.class_names)), -1)
        every[:, self.attack_rows] = labels
        return every


def prepare_shard(
    backbone: Backbone,
    shard: Shard,
    cache: FeatureCache,
    attack_task: Task | None = None,
    training: TrainingSection | None = None,
    seed: int = 0,
) -> PreparedShard:
    """Move a shard to the backbone's device and encode what stays frozen, once.

    attack_task: holds at least the client's own classes; None: these alone. training: whose
    `cached-views` are drawn by the run's seed; None: there are none.
    """
    images = move_images(shard.images.images, backbone.device)
    frozen_views = torch.stack(
        [cached_image_features(backbone, view, cache) for view in (images, images.flip(-1))]
    )
    task = encode_task(backbone, shard.task, cache)
    attacked = task if attack_task is None else encode_task(backbone, attack_task, cache)
    count = 0 if training is None or training.augmentation == "none" else training.cached_views
    draw = generator(seed, "cached views", partition_id=shard.partition_id)
    rows = [attacked.task.class_names.index(name) for name in shard.task.class_names]
    return PreparedShard(
        partition_id=shard.partition_id,
        images=images,
        labels=shard.images.labels.to(backbone.device),
        frozen_views=frozen_views,
        task=task,
        attack_task=attacked,
        attack_rows=torch.tensor(rows, device=backbone.device),
        cached_views=_cached_views(backbone, images, cache, count, draw) if count else None,
    )


def _cached_views(
    backbone: Backbone, images: Tensor, cache: FeatureCache, count: int, draw: torch.Generator
) -> CachedViews:
    views = torch.stack([random_crops(images, draw) for _ in range(count)])
    features = cached_image_features(backbone, views.flatten(0, 1), cache)
    return CachedViews(views, features.unflatten(0, views.shape[:2]))
