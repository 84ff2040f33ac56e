"""FedMVP's objective with CAPT's adversarial term added: the fusion of the two papers.

L = CE(p(x), y) + alpha * (1 - cos(z_i(x), z_i,frz(x')))
  + lambda * [(1 - a) * KL(p(x) || p(x~)) + a * KL(p_frz(x) || p(x~))]
"""

from dataclasses import dataclass

from fedmvp_core.config.options import Annotated, Between, option
from fedmvp_core.local.model import LocalModel
from fedmvp_core.losses.feature_consistency import feature_consistency
from fedmvp_core.objectives.capt import CAPTOptions, adversarial_consistency
from fedmvp_core.objectives.objective import Batch, Loss, LossFunction, Objective


@dataclass(frozen=True)
class FedMVPCAPTOptions(CAPTOptions):
    """CAPT's, and FedMVP's weight."""

    alpha: Annotated[float, Between(0)] = option(3.0, "weight of the consistency with frozen CLIP")


def fedmvp_capt(options: FedMVPCAPTOptions) -> LossFunction:
    """The sum, with FedMVP's `alpha` and CAPT's lambda, `capt-weight`."""

    def loss(model: LocalModel, batch: Batch) -> Loss:
        features, clean = model.predict(batch.images)
        _, attacked = model.predict(batch.adversarial)
        nearness = feature_consistency(features.image_features, batch.frozen_features)
        consistency, measured = adversarial_consistency(clean, attacked, batch, options)
        value = model.classification_loss(clean, batch.labels)
        value = value + options.alpha * nearness + options.capt_weight * consistency
        return Loss(value, measured)

    return loss


objective = Objective(
    "fedmvp-capt",
    "FedMVP (ICCV 2025) with CAPT (arXiv 2405.11154)",
    fedmvp_capt,
    FedMVPCAPTOptions,
    attack="ce",
    needs="image",
)
