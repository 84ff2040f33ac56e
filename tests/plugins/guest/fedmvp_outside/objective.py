"""FedProx as an objective: cross-entropy that stays near the received tensors."""

from dataclasses import dataclass

from fedmvp_core.config.options import Annotated, Between, option
from fedmvp_core.local.model import LocalModel
from fedmvp_core.objectives import Batch, Loss, LossFunction, Objective


@dataclass(frozen=True)
class NearOptions:
    """The weight."""

    mu: Annotated[float, Between(0)] = option(0.01, "weight of the squared distance, halved")


def near(options: NearOptions) -> LossFunction:
    """L = CE(p(x), y) + mu / 2 * ||w - w_received||^2."""

    def loss(model: LocalModel, batch: Batch) -> Loss:
        _, logits = model.predict(batch.images)
        distance = logits.new_zeros(())
        for name, tensor in model.trained().items():
            if name in model.received:  # a client's own tensors never travelled
                distance = distance + (tensor - model.received[name]).square().sum()
        value = model.classification_loss(logits, batch.labels)
        return Loss(value + options.mu / 2 * distance, {"distance": distance.detach()})

    return loss


objective = Objective("guest-near", "FedProx (MLSys 2020)", near, NearOptions)
