"""APT: One Prompt Word is Enough to Boost Adversarial Robustness for Pre-trained VLMs.

Li et al., CVPR 2024. Learned words in front of the class names, cross-entropy on adversarial
images. Fixed by the public code: 16 words or 1, N(0, 0.02) at the start, PGD-3 from a random point
with a step of two thirds of epsilon, a backbone made robust for the same epsilon. The text that the
attack looks at is a choice of the paper's, `attack-prompt`:

on-the-fly  the words as they are
constant    the run's hand-written template
perturbed   the words after one step of SGD (`perturb-rate`) up the clean cross-entropy
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Annotated

import torch
from torch import Tensor

from fedmvp_core.config import Scalar
from fedmvp_core.config.options import Between, OneOf, option
from fedmvp_core.local.attack import TextForAttack, tuned_text
from fedmvp_core.local.model import LocalModel
from fedmvp_core.lockstep import calls
from fedmvp_core.logits import class_logits
from fedmvp_core.losses.classification import cross_entropy
from fedmvp_core.methods.method import Method
from fedmvp_core.methods.schedules import APT_ATTACK
from fedmvp_core.prompting import Features
from fedmvp_core.prompting.text_context import TextContext, TextContextOptions

# The public code's example for 16 shots: 50 epochs. Epsilon, 1/255 or 4/255, is the user's.
PUBLISHED: Mapping[str, Scalar] = MappingProxyType(
    {
        **APT_ATTACK,
        "rounds": 50,
        "learning-rate": 0.002,
        "warmup-rounds": 1,
        "warmup-rate": 1e-5,
        "batch-size": 32,
        "shots": 16,
        "shot-sampling": "coop",
        "method.context-length": 16,
        "method.class-specific": False,
        "method.attack-prompt": "on-the-fly",
    }
)


@dataclass(frozen=True)
class APTOptions(TextContextOptions):
    """The words', and the text that the attack in training looks at."""

    attack_prompt: Annotated[str, OneOf(("on-the-fly", "constant", "perturbed"))] = option(
        "on-the-fly", "the text that an attack looks at"
    )
    perturb_rate: Annotated[float, Between(0)] = option(
        0.1, "step of the ascending words of perturbed"
    )


def attack_text(options: APTOptions) -> TextForAttack:
    """The class features that `attack-prompt` asks for."""
    texts: dict[str, TextForAttack] = {
        "on-the-fly": tuned_text,
        "constant": lambda model, images, labels: model.shard.attack_task.zero_shot_features,
        "perturbed": partial(perturbed_features, rate=options.perturb_rate),
    }
    return texts[options.attack_prompt]


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
        gradient = calls.gradient(loss, words)
        assert gradient is not None
    with torch.no_grad():
        return prompting.class_features_with(words + rate * gradient, backbone, task)


method = Method(
    name="apt",
    paper="APT (CVPR 2024)",
    prompting="text-context",
    objective="adversarial",
    options=APTOptions,
    attack_text=attack_text,
    published=PUBLISHED,
    reads_attributes=False,
)
