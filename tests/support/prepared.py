"""A prepared shard of random pictures."""

import torch

from fedmvp_core.backbone import Backbone, FeatureCache
from fedmvp_core.data.image_set import ImageSet
from fedmvp_core.data.shards import Shard
from fedmvp_core.local.shard import PreparedShard, prepare_shard
from fedmvp_core.tasks import Task

NAMES = ("cat", "dog", "cow")


def random_images(count: int, seed: int = 0) -> ImageSet:
    """`count` noise pictures of three classes in turn."""
    draw = torch.Generator().manual_seed(seed)
    return ImageSet(
        images=torch.randint(0, 256, (count, 3, 64, 64), generator=draw, dtype=torch.uint8),
        labels=torch.arange(count) % len(NAMES),
        domains=("",) * count,
        names=tuple(f"{i}.png" for i in range(count)),
        class_names=NAMES,
    )


def small_task() -> Task:
    """Three classes, two of them with attributes in plenty."""
    attributes = (("furry", "small"), ("loyal",), ("horned", "large", "calm"))
    return Task(NAMES, attributes, "a {class}.", "a {class}, {attribute}.")


def prepared(backbone: Backbone, count: int, partition_id: int = 0, seed: int = 0) -> PreparedShard:
    """A shard of `count` noise pictures with its frozen features."""
    images = random_images(count, seed)
    shard = Shard(partition_id, images, images, small_task())
    return prepare_shard(backbone, shard, FeatureCache(None))
