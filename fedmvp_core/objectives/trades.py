"""TRADES: L = CE(p(x), y) + beta * KL(p(x) || p(x~)) (Zhang et al., ICML 2019)."""

from torch.nn import functional as F

from fedmvp_core.objectives.divergence import divergence
from fedmvp_core.objectives.objective import Batch, Loss, Objective, Predict


def trades_objective(beta: float) -> Objective:
    """beta: weight of the divergence, 6 in the paper; 0 leaves clean cross-entropy."""

    def objective(predict: Predict, batch: Batch) -> Loss:
        _, clean = predict(batch.images)
        _, attacked = predict(batch.adversarial)
        return Loss(
            F.cross_entropy(clean, batch.labels) + beta * divergence(clean, attacked).mean(), {}
        )

    return objective
