"""FedKgCoOp's objective: cross-entropy, and learned text held to the hand-written template's.

L = CE(p(x), y) + 8 * (1 - mean over classes of cos(z_t(k), z_t,frz(k)))

KgCoOp: Visual-Language Prompt Tuning with Knowledge-guided Context Optimization (Yao et al., CVPR
2023), which FedTPG's experiments (Qiu et al., ICLR 2024) average over clients, with a weight of 8.
"""

from dataclasses import dataclass

from torch.nn import functional as F

from fedmvp_core.config.options import Annotated, Between, option
from fedmvp_core.local.model import LocalModel
from fedmvp_core.objectives.objective import Batch, Loss, LossFunction, Objective


@dataclass(frozen=True)
class FedKgCoOpObjectiveOptions:
    """8 in KgCoOp's and FedTPG's scripts; KgCoOp's code has 1 where nothing is said."""

    text_weight: Annotated[float, Between(0)] = option(
        8.0, "of the distance between learned text and the template's"
    )


def fedkgcoop(options: FedKgCoOpObjectiveOptions) -> LossFunction:
    """Cross-entropy and the weighted distance of class features from the frozen ones."""

    def loss(model: LocalModel, batch: Batch) -> Loss:
        features, logits = model.predict(batch.images)
        frozen = model.shard.task.zero_shot_features
        cosines = F.cosine_similarity(features.class_features, frozen, dim=-1)
        value = model.classification_loss(logits, batch.labels)
        return Loss(value + options.text_weight * (1 - cosines.mean()), {})

    return loss


objective = Objective(
    "fedkgcoop",
    "KgCoOp (CVPR 2023), as in FedTPG (ICLR 2024)",
    fedkgcoop,
    FedKgCoOpObjectiveOptions,
    needs="text",
    reads=(),
)
