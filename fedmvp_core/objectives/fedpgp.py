"""FedPGP's objective: cross-entropy, and a contrast of the shared text (Cui et al., ICML 2024).

L = CE(p(x), y) + mu * mean_c CE([cos(t_0, t_s), cos(t_s, t_i)] / 0.5, 0)

t_0: the frozen text of the plain template, t_s: that of the words all clients share, t_i: that of
the client's own words; each of a class c of the client's.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from fedmvp_core.config.options import Annotated, Between, option
from fedmvp_core.local.model import LocalModel
from fedmvp_core.objectives.objective import Batch, Loss, LossFunction, Objective

TEMPERATURE = 0.5


@dataclass(frozen=True)
class FedPGPObjectiveOptions:
    """1 in the paper; 0 leaves cross-entropy."""

    mu: Annotated[float, Between(0)] = option(1.0, "weight of the contrast of the shared text")


def fedpgp(options: FedPGPObjectiveOptions) -> LossFunction:
    """Cross-entropy and the weighted contrast."""

    def loss(model: LocalModel, batch: Batch) -> Loss:
        _, logits = model.predict(batch.images)
        task = model.shard.task
        module: Any = model.prompting  # one with what the objective asks for
        shared = module.shared_class_features(model.backbone, task)
        contrast = shared_text_contrast(task.zero_shot_features, shared, model.classes)
        value = model.classification_loss(logits, batch.labels) + options.mu * contrast
        return Loss(value, {"contrast": contrast.detach()})

    return loss


def shared_text_contrast(frozen: Tensor, shared: Tensor, own: Tensor) -> Tensor:
    """Near `frozen` and away from `own`: a scalar. All: (classes, d)."""
    near, far = (F.cosine_similarity(shared, other, dim=-1) for other in (frozen, own))
    scores = torch.stack([near, far], dim=-1) / TEMPERATURE
    return F.cross_entropy(scores, scores.new_zeros(len(scores), dtype=torch.long))


objective = Objective(
    "fedpgp",
    "FedPGP (ICML 2024)",
    fedpgp,
    FedPGPObjectiveOptions,
    asks="shared_class_features",
    reads=(),
)
