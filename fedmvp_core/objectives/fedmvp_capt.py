"""FedMVP's objective with CAPT's adversarial term added: the fusion of the two papers.

L = CE(p(x), y) + alpha * (1 - cos(z_i(x), z_i,frz(x')))
  + lambda * [(1 - a) * KL(p(x) || p(x~)) + a * KL(p_frz(x) || p(x~))]
"""

from fedmvp_core.config import RunConfig
from fedmvp_core.losses.classification import classification_loss
from fedmvp_core.losses.feature_consistency import feature_consistency
from fedmvp_core.objectives.capt import adversarial_consistency
from fedmvp_core.objectives.objective import Batch, Loss, Objective, Predict


def fedmvp_capt_objective(config: RunConfig) -> Objective:
    """The sum, with the configured `alpha` (FedMVP's) and `capt-weight` (CAPT's lambda)."""

    def objective(predict: Predict, batch: Batch) -> Loss:
        features, clean = predict(batch.images)
        _, attacked = predict(batch.adversarial)
        nearness = feature_consistency(features.image_features, batch.frozen_features)
        consistency, measured = adversarial_consistency(clean, attacked, batch, config)
        loss = classification_loss(clean, batch.labels, config)
        loss = loss + config.training.alpha * nearness + config.training.capt_weight * consistency
        return Loss(loss, measured)

    return objective
