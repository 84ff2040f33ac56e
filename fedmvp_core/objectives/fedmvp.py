"""FedMVP's objective: L = CE(p(x), y) + alpha * (1 - cos(z_i(x), z_i,frz(x')))."""

from fedmvp_core.config import RunConfig
from fedmvp_core.losses.classification import classification_loss
from fedmvp_core.losses.feature_consistency import feature_consistency
from fedmvp_core.objectives.objective import Batch, Loss, Objective, Predict


def fedmvp_objective(config: RunConfig) -> Objective:
    """`alpha` weighs the consistency term, 10 in the paper; 0 leaves cross-entropy."""

    def objective(predict: Predict, batch: Batch) -> Loss:
        features, logits = predict(batch.images)
        consistency = feature_consistency(features.image_features, batch.frozen_features)
        loss = classification_loss(logits, batch.labels, config)
        return Loss(loss + config.training.alpha * consistency, {})

    return objective
