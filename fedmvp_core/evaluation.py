"""Clean and robust evaluation: class probabilities, accuracy, and what an attack leaves of it."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from fedmvp_core.adversarial.attacking import attacking
from fedmvp_core.adversarial.attacks import evaluation_attack
from fedmvp_core.adversarial.inputs import LogitsFunction
from fedmvp_core.backbone import Backbone
from fedmvp_core.prompting import Features, Prompting
from fedmvp_core.prompting.none import NoPrompts
from fedmvp_core.tasks import EncodedTask

EVALUATION_BATCH = 256

# (logits function, images, labels, generator) -> adversarial images.
ConfiguredAttack = Callable[[LogitsFunction, Tensor, Tensor, torch.Generator], Tensor]


@torch.no_grad()
def predict_probabilities(
    backbone: Backbone, prompting: Prompting | None, task: EncodedTask, images: Tensor
) -> Tensor:
    """images: (n, 3, size, size) uint8, or float in [0, 1] -> (n, classes) on the CPU.

    prompting None: the frozen model with the plain template.
    """
    features_of = _features_function(backbone, prompting, task)
    rows = []
    for chunk in images.split(EVALUATION_BATCH):
        features = features_of(chunk.to(backbone.device))
        rows.append(features.logits(backbone.logit_scale).softmax(dim=-1).cpu())
    return torch.cat(rows)


@torch.no_grad()
def zero_shot_probabilities(
    backbone: Backbone, task: EncodedTask, frozen_features: Tensor
) -> Tensor:
    """As predict_probabilities without prompting, from unit frozen image features (n, d)."""
    features = Features(frozen_features, task.zero_shot_features)
    return features.logits(backbone.logit_scale).softmax(dim=-1).cpu()


def correct(probabilities: Tensor, labels: Tensor) -> Tensor:
    """(n, classes), (n,) -> (n,) bool: is the most probable class the right one?"""
    return probabilities.argmax(dim=-1) == labels


def configured_attack(name: str, epsilon: float, steps: int) -> ConfiguredAttack:
    """The evaluation attack of that name with its radius and number of steps (or queries).

    Raises:
        AttackError: there is no such attack.
    """
    attack = evaluation_attack(name)

    def configured(
        logits_of: LogitsFunction, images: Tensor, labels: Tensor, generator: torch.Generator
    ) -> Tensor:
        return attack(logits_of, images, labels, epsilon, steps, generator)

    return configured


@dataclass(frozen=True)
class UnderAttack:
    """What an attack left of a set of images, all on the CPU.

    adversarial: (n, 3, size, size), in [0, 1]. robust: (n,) bool, still classified right.
    alignment, attacked_alignment: (n,), cosine of an image with its own class, clean and attacked.
    """

    adversarial: Tensor
    robust: Tensor
    alignment: Tensor
    attacked_alignment: Tensor


def evaluate_under_attack(
    backbone: Backbone,
    prompting: Prompting | None,
    task: EncodedTask,
    images: Tensor,
    labels: Tensor,
    attack: ConfiguredAttack,
    generator: torch.Generator,
) -> UnderAttack:
    """Attack every image through the whole model, the prompts it makes for the image included.

    Args:
        prompting: None: the frozen model with the plain template.
        images: (n, 3, size, size) uint8, or float in [0, 1]. labels: (n,).

    Raises:
        AttackError: the attack cannot work on this task (one class, say), or meets NaN.
    """
    module = prompting if prompting is not None else NoPrompts()
    parts = []
    with attacking(module):
        features_of = _features_function(backbone, prompting, task)
        for chunk, right in zip(
            images.split(EVALUATION_BATCH), labels.split(EVALUATION_BATCH), strict=True
        ):
            clean = chunk.to(backbone.device, torch.float32)
            clean = clean / 255 if chunk.dtype == torch.uint8 else clean
            right = right.to(backbone.device)
            parts.append(_attack_batch(backbone, features_of, clean, right, attack, generator))
    return UnderAttack(*(torch.cat(columns) for columns in zip(*parts, strict=True)))


def _attack_batch(
    backbone: Backbone,
    features_of: Callable[[Tensor], Features],
    images: Tensor,
    labels: Tensor,
    attack: ConfiguredAttack,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    def logits_of(pixels: Tensor) -> Tensor:
        return features_of(pixels).logits(backbone.logit_scale)

    adversarial = attack(logits_of, images, labels, generator)
    with torch.no_grad():
        before, after = features_of(images), features_of(adversarial)
        robust = after.logits(backbone.logit_scale).argmax(dim=-1) == labels
        aligned = [alignment(features, labels).cpu() for features in (before, after)]
    return adversarial.cpu(), robust.cpu(), aligned[0], aligned[1]


def alignment(features: Features, labels: Tensor) -> Tensor:
    """(batch,): cosine of each image feature with the feature of its own class."""
    return F.cosine_similarity(features.image_features, features.class_features[labels], dim=-1)


def _features_function(
    backbone: Backbone, prompting: Prompting | None, task: EncodedTask
) -> Callable[[Tensor], Features]:
    """Images to features, with the text encoded once."""
    module = prompting if prompting is not None else NoPrompts()
    with torch.no_grad():
        class_features = module.class_features(backbone, task)
    return lambda images: Features(module.image_features(backbone, images, task), class_features)
