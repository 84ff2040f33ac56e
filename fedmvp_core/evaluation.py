"""Clean and robust evaluation: class probabilities, and what an attack leaves of them."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from fedmvp_core.adversarial.attacks import evaluation_attack
from fedmvp_core.adversarial.inputs import LogitsFunction
from fedmvp_core.adversarial.perturbation import attack_mode
from fedmvp_core.backbone import Backbone
from fedmvp_core.backbone.transfer import move_images
from fedmvp_core.logits import class_logits, dot_products, probabilities
from fedmvp_core.metrics.measures import correct
from fedmvp_core.prompting import Features, Prompting
from fedmvp_core.prompting.none import NoPrompts
from fedmvp_core.tasks import EncodedTask

EVALUATION_BATCH = 256

# Images on the backbone's device -> what they are recognised by.
FeaturesOf = Callable[[Tensor], Features]
# What stands before a model at test time, see defences/: (features function, task) -> another.
Guard = Callable[[FeaturesOf, EncodedTask], FeaturesOf]
# (logits function, images, labels, generator) -> adversarial images.
ConfiguredAttack = Callable[[LogitsFunction, Tensor, Tensor, torch.Generator], Tensor]


@torch.no_grad()
def predict_probabilities(
    backbone: Backbone,
    prompting: Prompting | None,
    task: EncodedTask,
    images: Tensor,
    guard: Guard | None = None,
) -> Tensor:
    """images: (n, 3, size, size) uint8, or float in [0, 1] -> (n, classes) on the CPU.

    Rows of sum 1; for a multi-label task every label's own probability. prompting None: the frozen
    model with the plain template. guard: a test-time defence.
    """
    features_of = features_function(backbone, prompting, task, guard)
    return in_batches(
        backbone, features_of, images, lambda f: probabilities(f, task, backbone.logit_scale)
    )


def in_batches(
    backbone: Backbone, features_of: FeaturesOf, images: Tensor, rule: Callable[[Features], Tensor]
) -> Tensor:
    """What a rule makes of the features of all images, on the CPU.

    images: (n, 3, size, size) uint8, or float in [0, 1].
    """
    rows = [
        rule(features_of(move_images(chunk, backbone.device))).cpu()
        for chunk in images.split(EVALUATION_BATCH)
    ]
    return torch.cat(rows)


@torch.no_grad()
def zero_shot_probabilities(
    backbone: Backbone, task: EncodedTask, frozen_features: Tensor
) -> Tensor:
    """As predict_probabilities without prompting, from unit frozen image features (n, d)."""
    features = Features(frozen_features, task.zero_shot_features)
    return probabilities(features, task, backbone.logit_scale).cpu()


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

    adversarial: (n, 3, size, size), in [0, 1]; no rows unless they were asked for. probabilities:
    (n, classes), of these. robust: (n,) bool, still classified right (several labels: all known
    ones). alignment, attacked_alignment: (n,), cosine of an image with its own class, clean and
    attacked; the mean over the labels of an image that has several, and nan for one that has none.
    """

    adversarial: Tensor
    probabilities: Tensor
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
    keep_adversarial: bool = False,
    guard: Guard | None = None,
) -> UnderAttack:
    """Attack every image through the whole model, the prompts it makes for the image included.

    Args:
        prompting: None: the frozen model with the plain template.
        images: (n, 3, size, size) uint8, or float in [0, 1]. labels: (n,) or (n, classes).
        keep_adversarial: of a whole test set the attacked images are many times its own size.
        guard: a test-time defence, which the attack goes through.

    Raises:
        AttackError: the attack cannot work on this task (one class, say), or meets NaN.
    """
    module = prompting if prompting is not None else NoPrompts()
    parts = []
    with attack_mode(module):
        features_of = features_function(backbone, prompting, task, guard)
        for chunk, right in zip(
            images.split(EVALUATION_BATCH), labels.split(EVALUATION_BATCH), strict=True
        ):
            clean = move_images(chunk, backbone.device).to(torch.float32)
            clean = clean / 255 if chunk.dtype == torch.uint8 else clean
            right = right.to(backbone.device)
            found = _attack_batch(backbone, features_of, task, clean, right, attack, generator)
            parts.append(found if keep_adversarial else (found[0][:0].clone(), *found[1:]))
    return UnderAttack(*(torch.cat(columns) for columns in zip(*parts, strict=True)))


def _attack_batch(
    backbone: Backbone,
    features_of: FeaturesOf,
    task: EncodedTask,
    images: Tensor,
    labels: Tensor,
    attack: ConfiguredAttack,
    generator: torch.Generator,
) -> tuple[Tensor, ...]:
    """The fields of UnderAttack for one batch."""

    def logits_of(pixels: Tensor) -> Tensor:
        return class_logits(features_of(pixels), task, backbone.logit_scale)

    adversarial = attack(logits_of, images, labels, generator)
    with torch.no_grad():
        before, after = features_of(images), features_of(adversarial)
        found = probabilities(after, task, backbone.logit_scale)
        robust = correct(found, labels)
        aligned = [alignment(features, labels) for features in (before, after)]
    return tuple(part.cpu() for part in (adversarial, found, robust, *aligned))


def logits_function(
    backbone: Backbone, prompting: Prompting | None, task: EncodedTask
) -> LogitsFunction:
    """The whole model as attacks see it: images (batch, 3, size, size) in [0, 1] -> logits.

    prompting None: the frozen model. Put the prompting into `attack_mode` while it is attacked.
    """
    features_of = features_function(backbone, prompting, task)
    return lambda pixels: class_logits(features_of(pixels), task, backbone.logit_scale)


def alignment(features: Features, labels: Tensor) -> Tensor:
    """(batch,): cosine of each image feature with the feature of its own class, or their mean.

    labels: (batch,), or (batch, classes) of 1, 0 and -1; an image without a 1 has nan.
    """
    if labels.ndim == 1:
        classes = features.class_features
        images = torch.arange(len(labels), device=labels.device)
        own = classes[labels] if classes.ndim == 2 else classes[images, labels]
        return F.cosine_similarity(features.image_features, own, dim=-1)
    cosines = dot_products(features.image_features, F.normalize(features.class_features, dim=-1))
    present = labels == 1
    return cosines.where(present, 0.0).sum(dim=-1) / present.sum(dim=-1)


def features_function(
    backbone: Backbone,
    prompting: Prompting | None,
    task: EncodedTask,
    guard: Guard | None = None,
) -> FeaturesOf:
    """Images to features, with the text that is the same for all images encoded once."""
    module = prompting if prompting is not None else NoPrompts()
    with torch.no_grad():
        class_features = module.class_features(backbone, task)

    def features_of(images: Tensor) -> Features:
        return module.recognise(backbone, images, task, class_features, task)

    return _guarded(guard(features_of, task)) if guard else features_of


def _guarded(features_of: FeaturesOf) -> FeaturesOf:
    """A defence changes pixels, so it is given numbers that can be changed: floats in [0, 1]."""
    return lambda images: features_of(images / 255 if images.dtype == torch.uint8 else images)
