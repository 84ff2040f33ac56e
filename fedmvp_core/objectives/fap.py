"""FAP's objective: clean cross-entropy and a similarity-weighted divergence.

L = CE(p(x), y) + 1.5 * mean[KL(p(x) || p(x~)) * (cos(z_i(x), z_i(x~)) + 1)] (NeurIPS 2024.)
"""

from torch.nn import functional as F

from fedmvp_core.config import RunConfig
from fedmvp_core.losses.classification import classification_loss, divergence
from fedmvp_core.objectives.objective import Batch, Loss, Objective, Predict

WEIGHT = 1.5  # of the divergence, as published


def fap_objective(config: RunConfig) -> Objective:
    """FAP with its published weight."""

    def objective(predict: Predict, batch: Batch) -> Loss:
        clean, clean_logits = predict(batch.images)
        attacked, attacked_logits = predict(batch.adversarial)
        similarity = F.cosine_similarity(clean.image_features, attacked.image_features, dim=-1)
        moved = divergence(clean_logits, attacked_logits, batch.multi_label)
        weighted = (moved * (similarity + 1)).mean()
        loss = classification_loss(clean_logits, batch.labels, config)
        return Loss(loss + WEIGHT * weighted, {})

    return objective
