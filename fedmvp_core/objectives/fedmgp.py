"""FedMGP's objective: cross-entropy, and groups of prompts held apart (Bo et al., NeurIPS 2025).

L = CE(p(x), y) - w / 2 * (mean |t_i - t_j| + mean |z_i - z_j|)

t, z: unit text and image features by group; the means are over pairs of groups, over classes or
images, and over the features' places. The public code takes the absolute value of the negative
distance, which draws groups together; here they are held apart, as the paper means it.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fedmvp_core.config.options import Annotated, Between, option
from fedmvp_core.local.model import LocalModel
from fedmvp_core.objectives.objective import Batch, Loss, LossFunction, Objective


@dataclass(frozen=True)
class FedMGPObjectiveOptions:
    """1 in the public code; 0 leaves cross-entropy."""

    diversity_weight: Annotated[float, Between(0)] = option(
        1.0, "weight of the distance between groups"
    )


def fedmgp(options: FedMGPObjectiveOptions) -> LossFunction:
    """Cross-entropy less the weighted distance."""

    def loss(model: LocalModel, batch: Batch) -> Loss:
        module: Any = model.prompting  # one with what the objective asks for
        seen = module.seen_by_groups(model.backbone, batch.images)
        features = module.compared(model.backbone, seen, model.classes, model.shard.task)
        apart = (distance(model.classes) + distance(seen)) / 2
        value = model.classification_loss(features.logits, batch.labels)
        return Loss(value - options.diversity_weight * apart, {"diversity": apart.detach()})

    return loss


def distance(features: Tensor) -> Tensor:
    """(n, groups, d) -> the mean absolute difference over all pairs of groups: a scalar."""
    first, second = torch.triu_indices(features.shape[1], features.shape[1], offset=1)
    return (features[:, first] - features[:, second]).abs().mean()


objective = Objective(
    "fedmgp",
    "FedMGP (NeurIPS 2025)",
    fedmgp,
    FedMGPObjectiveOptions,
    asks="seen_by_groups",
    reads=(),
)
