"""The recipe of the robust fine-tuning of the tiny CLIP, and the loss."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from simulations.assets.captions import Batch
from simulations.assets.pretrain_tiny_clip import soft_targets


@dataclass(frozen=True)
class Recipe:
    """Everything that changes the result."""

    steps: int = 880
    batch_size: int = 256
    learning_rate: float = 8e-4
    weight_decay: float = 0.05
    warmup: int = 40
    whole_share: float = 0.12  # of all steps, at the end, that see every patch
    kept_patches: int = 32  # of 64, before that
    epsilon: float = 4 / 255
    attack_step: float = 2.5 / 255
    attack_steps: int = 2
    caption_weight: float = 0.5  # of the contrastive loss over the batch's captions
    soft_share: float = 0.4  # of its target, given by the teacher
    soft_temperature: float = 0.08
    anchor: float = 1.0  # of the cosine distance to what the first checkpoint says of clean pixels
    ema: float = 0.995
    seed: int = 0


def learning_rate(step: int, recipe: Recipe) -> float:
    """Warm-up, then a cosine to zero."""
    rise = min(1.0, (step + 1) / recipe.warmup)
    return recipe.learning_rate * rise * (0.5 + 0.5 * math.cos(math.pi * step / recipe.steps))


def class_or_caption(labels: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """One problem a picture: its class among the classes, or its caption among the captions.

    labels: (batch,), -1 where the class is not known. Returns the column of the truth, (batch,),
    and what to add to the logits over [captions; classes], (batch, batch + classes): -inf where a
    column belongs to the other problem.
    """
    size = len(labels)
    known = labels >= 0
    truth = torch.where(known, size + labels, torch.arange(size))
    hidden = torch.zeros(size, size + classes)
    hidden[known, :size] = -torch.inf
    hidden[~known, size:] = -torch.inf
    return truth, hidden


def total_loss(
    features: Tensor,
    anchors: Tensor,
    logits: Tensor,
    hidden: Tensor,
    truth: Tensor,
    batch: Batch,
    recipe: Recipe,
) -> Tensor:
    """TeCoA's cross-entropy, a contrastive loss over all captions, and the anchor.

    features: of the adversarial pictures; anchors: of the clean ones from the first checkpoint.
    """
    captions = logits[:, : len(logits)]
    targets = soft_targets(batch.caption_meaning, recipe.soft_share, recipe.soft_temperature)
    contrastive = (F.cross_entropy(captions, targets) + F.cross_entropy(captions.T, targets)) / 2
    distance = 1 - F.cosine_similarity(features, anchors).mean()
    tecoa = F.cross_entropy(logits + hidden, truth)
    return tecoa + recipe.caption_weight * contrastive + recipe.anchor * distance
