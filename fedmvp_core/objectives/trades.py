"""TRADES: L = CE(p(x), y) + beta * KL(p(x) || p(x~)) (Zhang et al., ICML 2019).

x~ climbs the same KL(p(x) || p(x~)), with p(x) held fixed.
"""

from dataclasses import dataclass

from fedmvp_core.config.options import Annotated, Between, option
from fedmvp_core.local.model import LocalModel
from fedmvp_core.losses.classification import divergence
from fedmvp_core.objectives.objective import Batch, Loss, LossFunction, Objective


@dataclass(frozen=True)
class TradesOptions:
    """6 in the paper; 0 leaves clean cross-entropy."""

    beta: Annotated[float, Between(0)] = option(6.0, "weight of KL(p(x) || p(x~))")


def trades(options: TradesOptions) -> LossFunction:
    """Clean cross-entropy and the weighted KL(p(x) || p(x~)): the clean prediction comes first."""

    def loss(model: LocalModel, batch: Batch) -> Loss:
        _, clean = model.predict(batch.images)
        _, attacked = model.predict(batch.adversarial)
        moved = divergence(clean, attacked, batch.multi_label).mean()
        value = model.classification_loss(clean, batch.labels) + options.beta * moved
        return Loss(value, {})

    return loss


objective = Objective("trades", "TRADES (ICML 2019)", trades, TradesOptions, attack="kl", reads=())
