"""TRADES: L = CE(p(x), y) + beta * KL(p(x) || p(x~)) (Zhang et al., ICML 2019)."""

from fedmvp_core.config import RunConfig
from fedmvp_core.losses.classification import classification_loss, divergence
from fedmvp_core.objectives.objective import Batch, Loss, Objective, Predict


def trades_objective(config: RunConfig) -> Objective:
    """`beta` weighs the divergence, 6 in the paper; 0 leaves clean cross-entropy."""

    def objective(predict: Predict, batch: Batch) -> Loss:
        _, clean = predict(batch.images)
        _, attacked = predict(batch.adversarial)
        moved = divergence(clean, attacked, batch.multi_label).mean()
        return Loss(
            classification_loss(clean, batch.labels, config) + config.training.beta * moved, {}
        )

    return objective
