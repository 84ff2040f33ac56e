"""APT: One Prompt Word is Enough to Boost Adversarial Robustness for Pre-trained VLMs.

Li et al., CVPR 2024. Learned words in front of the class names, cross-entropy on adversarial
images. Fixed by the public code: 16 words or 1, N(0, 0.02) at the start, PGD-3 from a random point
with a step of two thirds of epsilon, a backbone made robust for the same epsilon. The text that the
attack looks at is a choice of the paper's, `attack-prompt`:

on-the-fly  the words as they are
constant    the run's hand-written template
perturbed   the words after one step of SGD (`perturb-rate`) up the clean cross-entropy
"""

from functools import partial

import torch
from torch import Tensor

from fedmvp_core.adversarial.losses import cross_entropy
from fedmvp_core.backbone import Backbone
from fedmvp_core.config import RunConfig
from fedmvp_core.data.catalogue import spoken_name
from fedmvp_core.local.attack import (
    TextForAttack,
    TrainingAttack,
    pgd_attack,
    tuned_text,
)
from fedmvp_core.local.model import LocalModel
from fedmvp_core.logits import class_logits
from fedmvp_core.methods.method import ClassNames, Method
from fedmvp_core.objectives.adversarial import adversarial_objective
from fedmvp_core.prompting import Features
from fedmvp_core.prompting.text_context import TextContext


def build_text_context(
    backbone: Backbone, config: RunConfig, class_names: ClassNames
) -> TextContext:
    """The learned words; raises ConfigError when a class name leaves no room for them."""
    context = TextContext(
        text_width=backbone.text_width,
        class_names=class_names,
        length=config.model.context_length,
        class_specific=config.model.class_specific,
    )
    context.token_ids(backbone, tuple(spoken_name(config, name) for name in class_names))
    return context


def attack(config: RunConfig) -> TrainingAttack:
    """PGD on cross-entropy, with the text that `attack-prompt` asks for."""
    texts: dict[str, TextForAttack] = {
        "on-the-fly": tuned_text,
        "constant": lambda model, images, labels: model.shard.attack_task.zero_shot_features,
        "perturbed": partial(perturbed_features, rate=config.attack.perturb_rate),
    }
    return pgd_attack("ce", texts[config.attack.attack_prompt])(config)


def perturbed_features(model: LocalModel, images: Tensor, labels: Tensor, rate: float) -> Tensor:
    """(attacked classes, d) with the words moved up the clean cross-entropy by one step of SGD.

    The step is taken on a copy: the module's own words stay as they are, bit for bit.
    """
    prompting, backbone, task = model.prompting, model.backbone, model.shard.attack_task
    assert isinstance(prompting, TextContext)
    with torch.no_grad():
        seen = prompting.image_features(backbone, images, task)
    with torch.enable_grad():
        words = prompting.context.detach().clone().requires_grad_()
        classes = prompting.class_features_with(words, backbone, task)
        logits = class_logits(Features(seen, classes), task, backbone.logit_scale)
        loss = cross_entropy(logits, labels).mean()
        (gradient,) = torch.autograd.grad(loss, words)
    with torch.no_grad():
        return prompting.class_features_with(words + rate * gradient, backbone, task)


method = Method(
    name="apt",
    paper="APT (CVPR 2024)",
    prompting=build_text_context,
    objective=adversarial_objective,
    attack=attack,
)
