"""What the steps of local training look at: pictures as they are read, or random crops of them.

none           x is the picture; x', whose frozen feature is a consistency target, is the picture or
               its mirror image. All frozen features are the prepared shard's.
crops          x and x' are two crops, drawn anew in each step, in which the frozen model looks at
               them too, if the objective reads that.
crops, cached  x and x' are two draws from the `cached-views` crops of the picture that the prepared
               shard has with their frozen features.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from fedmvp_core.backbone import Backbone
from fedmvp_core.config import TrainingSection
from fedmvp_core.local.augmentation import random_crops
from fedmvp_core.local.shard import CachedViews, PreparedShard
from fedmvp_core.logits import class_logits
from fedmvp_core.prompting import Features
from fedmvp_core.seeding import generator

FLIP_PROBABILITY = 0.5  # of the view x' without crops
FROZEN_FEATURES, FROZEN_LOGITS = "frozen_features", "frozen_logits"


class Seen(NamedTuple):
    """What a step looks at.

    images: (batch, 3, height, width) of x, in [0, 1]. frozen_features: (batch, d), unit, of x'
    under the frozen model. frozen_logits: (batch, classes) of x under it and the plain template.
    What nobody reads of the two is NaN where it would have to be computed in the step.
    """

    images: Tensor
    frozen_features: Tensor
    frozen_logits: Tensor


# The rows of the steps of one epoch, on the shard's device, to what each step sees.
EpochViews: TypeAlias = Callable[[Sequence[Tensor]], Iterator[Seen]]


def epoch_views(
    backbone: Backbone,
    shard: PreparedShard,
    training: TrainingSection,
    seed: int,
    round: int,
    order_draw: torch.Generator,
    reads: Sequence[str],
) -> EpochViews:
    """The views of a client's round, epoch after epoch.

    Args:
        backbone: frozen.
        shard: with its cached views, if the run has such.
        training: `augmentation` and `cached-views`.
        seed: the run's.
        round: its number.
        order_draw: what the order of the pictures is drawn from; the mirror images go on with it.
        reads: what the objective reads, of FROZEN_FEATURES and FROZEN_LOGITS.

    Raises:
        ValueError: the shard was prepared for another number of cached views.
    """
    if training.augmentation == "none":
        return partial(_as_read, backbone, shard, order_draw)
    draw = generator(seed, "crops", round, shard.partition_id)
    found = 0 if shard.cached_views is None else len(shard.cached_views.images)
    if found != training.cached_views:
        raise ValueError(
            f"the shard of client {shard.partition_id} has {found} cached views of a picture; "
            f"cached-views is {training.cached_views}"
        )
    if shard.cached_views is not None:
        return partial(_of_the_cached, backbone, shard, shard.cached_views, draw)
    other_draw = generator(seed, "crops of the other view", round, shard.partition_id)
    return partial(_drawn_anew, backbone, shard, draw, other_draw, reads)


def _as_read(
    backbone: Backbone, shard: PreparedShard, draw: torch.Generator, steps: Sequence[Tensor]
) -> Iterator[Seen]:
    frozen_logits = _frozen_logits(backbone, shard, shard.frozen_views[0])
    order = torch.cat(tuple(steps))
    flipped = (torch.rand(len(order), generator=draw) < FLIP_PROBABILITY).long().to(order.device)
    sizes = [len(rows) for rows in steps]
    for rows, view in zip(steps, flipped.split(sizes), strict=True):
        images = _pixels(shard.images[rows])
        yield Seen(images, shard.frozen_views[view, rows], frozen_logits[rows])


def _of_the_cached(
    backbone: Backbone,
    shard: PreparedShard,
    cached: CachedViews,
    draw: torch.Generator,
    steps: Sequence[Tensor],
) -> Iterator[Seen]:
    for rows in steps:
        chosen = torch.randint(len(cached.images), (2, len(rows)), generator=draw).to(rows.device)
        view, other = chosen
        logits = _frozen_logits(backbone, shard, cached.frozen_features[view, rows])
        images = _pixels(cached.images[view, rows])
        yield Seen(images, cached.frozen_features[other, rows], logits)


def _drawn_anew(
    backbone: Backbone,
    shard: PreparedShard,
    draw: torch.Generator,
    other_draw: torch.Generator,
    reads: Sequence[str],
    steps: Sequence[Tensor],
) -> Iterator[Seen]:
    for rows in steps:
        pictures = shard.images[rows]
        view = random_crops(pictures, draw)
        targets = shard.frozen_views.new_full((len(rows), shard.frozen_views.shape[-1]), torch.nan)
        logits = targets.new_full((len(rows), len(shard.task.task.class_names)), torch.nan)
        if FROZEN_FEATURES in reads:
            targets = _frozen_features(backbone, random_crops(pictures, other_draw))
        if FROZEN_LOGITS in reads:
            logits = _frozen_logits(backbone, shard, _frozen_features(backbone, view))
        yield Seen(_pixels(view), targets, logits)


def _pixels(images: Tensor) -> Tensor:
    return images.float() / 255


def _frozen_features(backbone: Backbone, images: Tensor) -> Tensor:
    with torch.no_grad():  # not inference_mode: they enter the loss's graph
        return backbone.encode_image(images, normalize=True)


def _frozen_logits(backbone: Backbone, shard: PreparedShard, seen: Tensor) -> Tensor:
    """(n, classes) of unit frozen features: (n, d)."""
    features = Features(seen, shard.task.zero_shot_features)
    return class_logits(features, shard.task, backbone.logit_scale)
