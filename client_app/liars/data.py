"""What a liar trains on: its shard with false labels, or with images that carry a trigger."""

from dataclasses import replace

import torch
from torch import Tensor

from client_app.liars.trigger import labelled, target_of, trigger_of
from client_app.liars.who import lies
from client_app.node import Holding
from fedmvp_core.config import RunConfig
from fedmvp_core.config.keys import LEARNED_BACKDOORS
from fedmvp_core.local.shard import PreparedShard

FALSE_LABELS = ("label-flip", "sybils")
BACKDOORS = ("backdoor", *LEARNED_BACKDOORS)


def poisoned(
    shard: PreparedShard, config: RunConfig, holding: Holding, class_names: tuple[str, ...]
) -> PreparedShard:
    """The shard that a client trains on: its own, or what a liar about data makes of it.

    label-flip, sybils: class y becomes the last but y (with several labels an image: those present
    become absent, and the other way round). Backdoors: every second image gets the trigger and the
    federation's first class, if the client has it, else the first of its own. Clean-label: the
    images of that class get the trigger, and no label is changed.
    """
    attack = config.stress.stress_attack
    if attack not in (*FALSE_LABELS, *BACKDOORS) or not lies(config, holding):
        return shard
    if attack in FALSE_LABELS:
        return replace(shard, labels=_flipped(shard))
    target = target_of(class_names, shard.task.task.class_names)
    if attack != "backdoor-clean-label":
        rows = torch.arange(0, len(shard.labels), 2)
    elif shard.labels.ndim == 2:
        rows = torch.nonzero(shard.labels[:, target] == 1).flatten().cpu()
    else:
        rows = torch.nonzero(shard.labels == target).flatten().cpu()
    trigger = trigger_of(config, holding.partitions, class_names, shard.images.shape[-1])
    images, labels = shard.images.clone(), shard.labels.clone()
    images[rows], labels[rows] = trigger.on(images[rows]), labelled(labels[rows], target)
    views = shard.cached_views
    if views is not None:
        marked = views.images.clone()
        marked[:, rows] = trigger.on(marked[:, rows])
        views = views._replace(images=marked)
    return replace(shard, images=images, labels=labels, cached_views=views)


def _flipped(shard: PreparedShard) -> Tensor:
    task = shard.task.task
    if not task.multi_label:
        return len(task.class_names) - 1 - shard.labels
    return torch.where(shard.labels >= 0, 1 - shard.labels, shard.labels)
