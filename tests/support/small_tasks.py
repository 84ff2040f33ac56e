"""Pictures of noise and tasks of a few classes, for the tests of prompting modules."""

import torch
from torch import Tensor

from fedmvp_core.backbone import Backbone, FeatureCache
from fedmvp_core.tasks import EncodedTask, Task, encode_task


def images_of(count: int, seed: int = 0) -> Tensor:
    """(count, 3, 64, 64), in [0, 1]."""
    return torch.rand(count, 3, 64, 64, generator=torch.Generator().manual_seed(seed))


def several_labels(backbone: Backbone, *names: str) -> EncodedTask:
    """A task whose images may show any of these classes."""
    none: tuple[tuple[str, ...], ...] = ((),) * len(names)
    task = Task(names, none, "a {class}.", "a {class}, {attribute}.", multi_label=True)
    return encode_task(backbone, task, FeatureCache(None))
