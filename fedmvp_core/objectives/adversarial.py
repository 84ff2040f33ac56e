"""Adversarial training: L = CE(p(x~), y), as APT and TeCoA do (Madry et al., ICLR 2018)."""

from torch.nn import functional as F

from fedmvp_core.objectives.objective import Batch, Loss, Objective, Predict


def adversarial_objective() -> Objective:
    """Cross-entropy on adversarial images alone."""

    def objective(predict: Predict, batch: Batch) -> Loss:
        _, logits = predict(batch.adversarial)
        return Loss(F.cross_entropy(logits, batch.labels), {})

    return objective
