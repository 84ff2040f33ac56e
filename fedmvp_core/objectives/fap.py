"""FAP's objective: clean cross-entropy and a similarity-weighted divergence.

L = CE(p(x), y) + 1.5 * mean[KL(p(x) || p(x~)) * (cos(z_i(x), z_i(x~)) + 1)] (NeurIPS 2024.)
"""

from torch.nn import functional as F

from fedmvp_core.config.options import NoOptions
from fedmvp_core.local.model import LocalModel
from fedmvp_core.losses.classification import divergence
from fedmvp_core.objectives.objective import Batch, Loss, LossFunction, Objective

WEIGHT = 1.5  # of the divergence, as published


def fap(options: NoOptions) -> LossFunction:
    """FAP with its published weight."""

    def loss(model: LocalModel, batch: Batch) -> Loss:
        clean, clean_logits = model.predict(batch.images)
        attacked, attacked_logits = model.predict(batch.adversarial)
        similarity = F.cosine_similarity(clean.image_features, attacked.image_features, dim=-1)
        moved = divergence(clean_logits, attacked_logits, batch.multi_label)
        weighted = (moved * (similarity + 1)).mean()
        value = model.classification_loss(clean_logits, batch.labels)
        return Loss(value + WEIGHT * weighted, {})

    return loss


objective = Objective("fap", "FAP (NeurIPS 2024)", fap, attack="kl", reads=())
