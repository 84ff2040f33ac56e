"""CalFAT: Calibrated Federated Adversarial Training with Label Skewness.

Chen et al., NeurIPS 2022. With n_c, the number of the client's images of class c, logits become
l'_c = l_c + 0.1 log(n_c + 1e-7); L = CE(l'(x~), y), and x~ climbs KL(p'(x) || p'(x~)). A class that
a client lacks has a count of zero, and 1.6 is taken from its logit: what the client cannot learn of
is not pushed down further. The public code starts the attack at 0.001 N(0, 1) and multiplies the
loss by 10; here the start is `pgd`'s, and the factor belongs to `learning-rate`.
"""

from dataclasses import dataclass

from torch import Tensor

from fedmvp_core.config.options import Annotated, Between, option
from fedmvp_core.local.model import LocalModel
from fedmvp_core.objectives.objective import Batch, Loss, LossFunction, Objective

SMALLEST = 1e-7  # of a count, as published


@dataclass(frozen=True)
class CalFATOptions:
    """0.1 in the public code; 0 adjusts nothing."""

    calibration: Annotated[float, Between(0)] = option(
        0.1, "weight of the log class counts that are added to logits"
    )


def calfat(options: CalFATOptions) -> LossFunction:
    """Cross-entropy of the attacked images' adjusted logits."""

    def loss(model: LocalModel, batch: Batch) -> Loss:
        _, logits = model.predict(batch.adversarial)
        adjusted = logits + prior(options, model.class_counts())
        return Loss(model.classification_loss(adjusted, batch.labels), {})

    return loss


def adjusted_for_attack(options: CalFATOptions, model: LocalModel, logits: Tensor) -> Tensor:
    """(batch, attacked classes); a class that is not the client's own has a count of zero."""
    counts = model.class_counts()
    attacked = counts.new_zeros(logits.shape[-1]).index_copy(0, model.shard.attack_rows, counts)
    return logits + prior(options, attacked)


def prior(options: CalFATOptions, counts: Tensor) -> Tensor:
    """(classes,), what is added to logits. counts: (classes,) int64."""
    return options.calibration * (counts.float() + SMALLEST).log()


objective = Objective(
    "calfat",
    "CalFAT (NeurIPS 2022)",
    calfat,
    CalFATOptions,
    attack="kl",
    adjust=adjusted_for_attack,
    several_labels=False,
    reads=(),
)
