"""PMG-AFT: Pre-trained Model Guided Fine-Tuning for Zero-Shot Adversarial Robustness.

Wang et al., CVPR 2024. L = CE(p(x~), y) + KL(p_frz(x~) || p(x~)) + KL(p(x) || p(x~)): the frozen
model, with the plain template, looks at the attacked images too, which costs a frozen forward a
step. Gradients flow into both sides of the last term, as in the public code. There the image tower
is what is trained.
"""

from dataclasses import dataclass

from fedmvp_core.config.options import Annotated, Between, option
from fedmvp_core.local.model import LocalModel
from fedmvp_core.losses.classification import divergence
from fedmvp_core.objectives.objective import Batch, Loss, LossFunction, Objective


@dataclass(frozen=True)
class PMGOptions:
    """1 and 1 in the paper."""

    frozen_weight: Annotated[float, Between(0)] = option(1.0, "weight of KL(p_frz(x~) || p(x~))")
    clean_weight: Annotated[float, Between(0)] = option(1.0, "weight of KL(p(x) || p(x~))")


def pmg(options: PMGOptions) -> LossFunction:
    """Adversarial cross-entropy and the weighted divergences from frozen and from clean scores."""

    def loss(model: LocalModel, batch: Batch) -> Loss:
        _, clean = model.predict(batch.images)
        _, attacked = model.predict(batch.adversarial)
        frozen = model.frozen_logits(batch.adversarial)
        from_frozen = divergence(frozen, attacked, batch.multi_label).mean()
        from_clean = divergence(clean, attacked, batch.multi_label).mean()
        value = model.classification_loss(attacked, batch.labels)
        value = value + options.frozen_weight * from_frozen + options.clean_weight * from_clean
        return Loss(value, {})

    return loss


objective = Objective("pmg", "PMG-AFT (CVPR 2024)", pmg, PMGOptions, attack="ce", reads=())
