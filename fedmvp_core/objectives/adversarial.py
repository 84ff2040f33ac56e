"""Adversarial training: L = CE(p(x~), y), as APT and TeCoA do (Madry et al., ICLR 2018).

Averaged by FedAvg it is FedAvg-AT, which tables call AT: so `at` is its second name.
"""

from dataclasses import replace

from fedmvp_core.config.options import NoOptions
from fedmvp_core.local.model import LocalModel
from fedmvp_core.objectives.objective import Batch, Loss, LossFunction, Objective


def adversarial(options: NoOptions) -> LossFunction:
    """Cross-entropy on adversarial images alone."""

    def loss(model: LocalModel, batch: Batch) -> Loss:
        _, logits = model.predict(batch.adversarial)
        return Loss(model.classification_loss(logits, batch.labels), {})

    return loss


objective = Objective("adversarial", "Madry et al. (ICLR 2018)", adversarial, attack="ce", reads=())
at = replace(objective, name="at", source="FedAvg-AT: `adversarial`, as tables name it")
