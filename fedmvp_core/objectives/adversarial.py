"""Adversarial training: L = CE(p(x~), y), as APT and TeCoA do (Madry et al., ICLR 2018)."""

from fedmvp_core.config import RunConfig
from fedmvp_core.losses.classification import classification_loss
from fedmvp_core.objectives.objective import Batch, Loss, Objective, Predict


def adversarial_objective(config: RunConfig) -> Objective:
    """Cross-entropy on adversarial images alone."""

    def objective(predict: Predict, batch: Batch) -> Loss:
        _, logits = predict(batch.adversarial)
        return Loss(classification_loss(logits, batch.labels, config), {})

    return objective
