"""The attack inside a training step: PGD on the tuned model, text encoded before, and detached."""

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

from fedmvp_core.adversarial.pgd import pgd
from fedmvp_core.config import AttackSection
from fedmvp_core.config.epsilon import parse_epsilon
from fedmvp_core.local.model import LocalModel

# (model, images: (batch, 3, height, width) in [0, 1], labels: (batch,) among the attacked classes,
# generator) -> adversarial images.
TrainingAttack: TypeAlias = Callable[[LocalModel, Tensor, Tensor, torch.Generator], Tensor]
# (model, images, labels) -> (attacked classes, d), without a graph.
TextForAttack: TypeAlias = Callable[[LocalModel, Tensor, Tensor], Tensor]
# (model, logits: (batch, attacked classes)) -> the logits that the attack climbs on.
AdjustLogits: TypeAlias = Callable[[LocalModel, Tensor], Tensor]


def attack_radius(attack: AttackSection) -> float:
    """Epsilon of the training attack, in pixel units."""
    return parse_epsilon(attack.epsilon)


def attack_step_size(attack: AttackSection) -> float:
    """`attack-step-size`, or two thirds of epsilon as APT has it."""
    given = attack.attack_step_size
    return parse_epsilon(given) if given else 2 / 3 * attack_radius(attack)


def tuned_text(model: LocalModel, images: Tensor, labels: Tensor) -> Tensor:
    """The tuned class features, as the step has encoded them."""
    return model.attacked_classes


def as_they_are(model: LocalModel, logits: Tensor) -> Tensor:
    """The tuned model's own logits."""
    return logits


def pgd_attack(
    attack: AttackSection,
    loss: str = "ce",
    text: TextForAttack = tuned_text,
    adjust: AdjustLogits = as_they_are,
) -> TrainingAttack:
    """PGD through the tuned model, input-conditioned prompts included.

    loss: "ce", or "kl" against the logits of the clean images. text: the class features that the
    attack looks at, made once for a batch. adjust: what becomes of the logits before the loss. With
    epsilon 0 the images are their own attack, as in evaluation.
    """
    radius, step_size = attack_radius(attack), attack_step_size(attack)

    def attacked(
        model: LocalModel, images: Tensor, labels: Tensor, generator: torch.Generator
    ) -> Tensor:
        if radius == 0:
            return images.detach()
        class_features = text(model, images, labels)
        return pgd(
            lambda pixels: adjust(model, model.attacked_logits(pixels, class_features)),
            images,
            labels,
            radius,
            step_size,
            attack.attack_steps,
            loss=loss,
            generator=generator,
        )

    return attacked
