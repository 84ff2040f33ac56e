"""R-TPT: Improving Adversarial Robustness of VLMs through Test-Time Prompt Tuning (CVPR 2025).

For each image alone: many random views, the tenth of them with the lowest entropy, one step of
AdamW on the four words before the class names that lowers these entropies; then all views vote,
each by how similar it is to its twenty nearest views.

Published: 64 views, 10 % of them, learning rate 0.005, softmax(mean similarity / 0.01). Views are
the first image itself and random crops, as CoOp draws them; the paper's AugMix is left out. The
first step of AdamW is the sign of the gradient, whose derivative is 0 almost everywhere, so an
attack goes through views and votes and takes the words that each forward pass tunes as they are.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from fedmvp_core.backbone import Backbone
from fedmvp_core.errors import AttackError
from fedmvp_core.local.augmentation import random_crops
from fedmvp_core.logits import dot_products
from fedmvp_core.prompting import Features, Prompting
from fedmvp_core.prompting.frozen_start import frozen_text_prompts
from fedmvp_core.prompting.sentences import PromptedSentences
from fedmvp_core.tasks import EncodedTask

VIEWS, KEPT, NEIGHBOURS = 64, 6, 20
LEARNING_RATE, TEMPERATURE = 0.005, 0.01
WORDS = "a photo of a"


def check_rtpt(prompting: Prompting, multi_label: bool) -> None:
    """Raises AttackError for a model whose text is tuned already, and for several labels."""
    if prompting.prompts_text():
        raise AttackError(
            "defence 'rtpt' tunes the words before class names, and this run's method has text of "
            "its own; allowed: methods that leave the text as the frozen model has it"
        )
    if multi_label:
        raise AttackError("defence 'rtpt' needs one class an image; this run's have several labels")


def rtpt(
    backbone: Backbone,
    features_of: Callable[[Tensor], Features],
    task: EncodedTask,
    draws: torch.Generator,
) -> Callable[[Tensor], Features]:
    """Images (batch, 3, h, w) in [0, 1] to features that bring the logits of the vote."""
    length = len(WORDS.split())
    start = frozen_text_prompts(backbone, WORDS, length, 1)[0]
    names = [f"{name}." for name in task.task.spoken_names]
    tokens = PromptedSentences(length, f"defence 'rtpt' ({WORDS})").token_ids(backbone, names)

    def classes(words: Tensor) -> Tensor:
        return backbone.encode_text(tokens, {0: words}, normalize=True)

    def voted(image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        crops = random_crops(image.expand(VIEWS - 1, -1, -1, -1), draws)
        views = features_of(torch.cat([image[None], crops])).image_features
        own = classes(tuned(classes, views.detach(), start, backbone.logit_scale))
        logits = dot_products(backbone.logit_scale * views, own)
        chances = (reliability(views)[:, None] * logits.softmax(dim=-1)).sum(dim=0)
        return views[0], own, chances.clamp_min(torch.finfo(chances.dtype).tiny).log()

    def defended(images: Tensor) -> Features:
        return Features(*(torch.stack(part) for part in zip(*map(voted, images), strict=True)))

    return defended


def tuned(
    classes: Callable[[Tensor], Tensor], views: Tensor, words: Tensor, logit_scale: Tensor
) -> Tensor:
    """Words (length, text width) after one step that makes the surest views surer.

    classes: words to class features (classes, d). views: (views, d), unit.
    """
    with torch.enable_grad():
        words = words.detach().clone().requires_grad_()
        logits = dot_products(logit_scale * views, classes(words))
        entropies = torch.distributions.Categorical(logits=logits).entropy()
        loss = entropies.topk(KEPT, largest=False).values.mean()
        optimizer = torch.optim.AdamW([words], lr=LEARNING_RATE)
        (words.grad,) = torch.autograd.grad(loss, words)
        optimizer.step()
    return words.detach()


def reliability(views: Tensor) -> Tensor:
    """(views,), of sum 1: how much each view counts. views: (views, d), unit."""
    nearest = (views @ views.T).topk(NEIGHBOURS, dim=-1).values.mean(dim=-1)
    return torch.softmax(nearest / TEMPERATURE, dim=0)
