"""FedMVP's objective: L = CE(p(x), y) + alpha * (1 - cos(z_i(x), z_i,frz(x')))."""

from torch.nn import functional as F

from fedmvp_core.objectives.feature_consistency import feature_consistency
from fedmvp_core.objectives.objective import Batch, Loss, Objective, Predict


def fedmvp_objective(alpha: float) -> Objective:
    """alpha: weight of the consistency term, 10 in the paper; 0 leaves cross-entropy."""

    def objective(predict: Predict, batch: Batch) -> Loss:
        features, logits = predict(batch.images)
        consistency = feature_consistency(features.image_features, batch.frozen_features)
        return Loss(F.cross_entropy(logits, batch.labels) + alpha * consistency, {})

    return objective
