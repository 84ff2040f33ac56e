"""A small backbone, shard and updates on which the contract of a plugin is tried."""

from collections.abc import Sequence

import torch
from torch import Tensor

from fedmvp_core import protocol
from fedmvp_core.backbone import Backbone, FeatureCache, load_backbone
from fedmvp_core.data.image_set import ImageSet
from fedmvp_core.data.shards import Shard
from fedmvp_core.local.shard import PreparedShard, prepare_shard
from fedmvp_core.tasks import EncodedTask, Task, encode_task
from server_app.aggregation import Update

CLASSES = ("cat", "dog", "cow")
ATTRIBUTES = (("furry", "small"), ("loyal",), ("horned", "large", "calm"))
NEW_CLASSES = ("horse", "sheep")  # that nobody trained on
IMAGES = 8
CLIENTS = 12  # enough for Bulyan with two liars


def random_backbone() -> Backbone:
    """The tiny architecture with random weights."""
    return load_backbone("tiny")


def task_of(backbone: Backbone, names: Sequence[str]) -> EncodedTask:
    """A task of these classes, each with an attribute."""
    attributes = tuple(("small",) for _ in names)
    task = Task(tuple(names), attributes, "a {class}.", "a {class}, {attribute}.")
    return encode_task(backbone, task, FeatureCache(None))


def example_shard(backbone: Backbone) -> PreparedShard:
    """Noise pictures of three classes in turn."""
    draw = torch.Generator().manual_seed(0)
    size = backbone.image_size
    pictures = ImageSet(
        images=torch.randint(0, 256, (IMAGES, 3, size, size), generator=draw, dtype=torch.uint8),
        labels=torch.arange(IMAGES) % len(CLASSES),
        domains=("",) * IMAGES,
        names=tuple(f"{number}.png" for number in range(IMAGES)),
        class_names=CLASSES,
    )
    task = Task(CLASSES, ATTRIBUTES, "a {class}.", "a {class}, {attribute}.")
    return prepare_shard(backbone, Shard(0, pictures, pictures, task), FeatureCache(None))


def current_tensors() -> dict[str, Tensor]:
    """Global tensors of different shapes, one without a dimension."""
    draw = torch.Generator().manual_seed(1)
    shapes: dict[str, tuple[int, ...]] = {"matrix": (2, 3), "vector": (4,), "number": ()}
    return {name: torch.randn(shape, generator=draw) for name, shape in shapes.items()}


def example_updates(
    current: dict[str, Tensor], round: int = 1, spread: float = 0.1
) -> list[Update]:
    """Updates around the current tensors, in the order of partition ids; spread 0: all equal."""
    draw = torch.Generator().manual_seed(round)
    common = {n: 0.1 * torch.randn(t.shape, generator=draw) for n, t in current.items()}
    return [
        Update(
            partition_id=client,
            tensors={
                name: value + common[name] + spread * torch.randn(value.shape, generator=draw)
                for name, value in current.items()
            },
            num_examples=20 + client,
            metrics={protocol.TRAIN_LOSS: 1 + client / 10},
        )
        for client in range(CLIENTS)
    ]
