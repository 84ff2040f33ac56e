"""FedMVP's objective: L = CE(p(x), y) + alpha * (1 - cos(z_i(x), z_i,frz(x')))."""

from dataclasses import dataclass

from fedmvp_core.config.options import Annotated, Between, option
from fedmvp_core.local.model import LocalModel
from fedmvp_core.losses.feature_consistency import feature_consistency
from fedmvp_core.objectives.objective import Batch, Loss, LossFunction, Objective


@dataclass(frozen=True)
class FedMVPObjectiveOptions:
    """10 in the paper; 0 leaves cross-entropy."""

    alpha: Annotated[float, Between(0)] = option(3.0, "weight of the consistency with frozen CLIP")


def fedmvp(options: FedMVPObjectiveOptions) -> LossFunction:
    """Cross-entropy and the weighted consistency of image features."""

    def loss(model: LocalModel, batch: Batch) -> Loss:
        features, logits = model.predict(batch.images)
        consistency = feature_consistency(features.image_features, batch.frozen_features)
        value = model.classification_loss(logits, batch.labels)
        return Loss(value + options.alpha * consistency, {})

    return loss


objective = Objective(
    "fedmvp",
    "FedMVP (ICCV 2025)",
    fedmvp,
    FedMVPObjectiveOptions,
    needs="image",
    reads=("frozen_features",),
)
