"""The attack inside a training step: PGD on the tuned model, text encoded before, and detached."""

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

from fedmvp_core.adversarial.pgd import pgd
from fedmvp_core.config import RunConfig
from fedmvp_core.config.epsilon import parse_epsilon
from fedmvp_core.local.model import LocalModel

# (model, images: (batch, 3, height, width) in [0, 1], labels: (batch,) among the attacked classes,
# generator) -> adversarial images.
TrainingAttack: TypeAlias = Callable[[LocalModel, Tensor, Tensor, torch.Generator], Tensor]


def attack_radius(config: RunConfig) -> float:
    """Epsilon of the training attack, in pixel units."""
    return parse_epsilon(config.attack.epsilon)


def attack_step_size(config: RunConfig) -> float:
    """`attack-step-size`, or two thirds of epsilon as APT has it."""
    given = config.attack.attack_step_size
    return parse_epsilon(given) if given else 2 / 3 * attack_radius(config)


# (model, images, labels) -> (attacked classes, d), without a graph.
TextForAttack: TypeAlias = Callable[[LocalModel, Tensor, Tensor], Tensor]


def tuned_text(model: LocalModel, images: Tensor, labels: Tensor) -> Tensor:
    """The tuned class features, as the step has encoded them."""
    return model.attacked_classes


def pgd_attack(
    loss: str = "ce", text: TextForAttack = tuned_text
) -> Callable[[RunConfig], TrainingAttack]:
    """PGD through the tuned model, input-conditioned prompts included.

    loss: "ce", or "kl" against the scores of the clean images. text: the class features that the
    attack looks at, made once for a batch.
    """

    def configured(config: RunConfig) -> TrainingAttack:
        radius, step_size = attack_radius(config), attack_step_size(config)

        def attack(
            model: LocalModel, images: Tensor, labels: Tensor, generator: torch.Generator
        ) -> Tensor:
            class_features = text(model, images, labels)
            return pgd(
                lambda pixels: model.attacked_logits(pixels, class_features),
                images,
                labels,
                radius,
                step_size,
                config.attack.attack_steps,
                loss=loss,
                generator=generator,
            )

        return attack

    return configured
