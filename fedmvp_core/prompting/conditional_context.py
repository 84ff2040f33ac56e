"""Learned words that a small network shifts for each image: CoCoOp's context.

Conditional Prompt Learning for Vision-Language Models (Zhou et al., CVPR 2022). Every image has
class features of its own, so a batch costs images x classes sentences.
"""

from dataclasses import dataclass
from functools import partial
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from fedmvp_core.backbone import Backbone
from fedmvp_core.config.options import Between, option
from fedmvp_core.data.catalogue import ClassWords
from fedmvp_core.prompting.sentences import PromptedSentences, WordsBeforeNames
from fedmvp_core.prompting.text_context import CONTEXT_STD
from fedmvp_core.tasks import EncodedTask

NARROWING = 16  # of the network's middle against the image feature
SENTENCES_AT_ONCE = 512  # or one image's classes, if these are more


@dataclass(frozen=True)
class ConditionalContextOptions:
    """How many words."""

    context_length: Annotated[int, Between(1, 64)] = option(4, "number of learned words")


class ConditionalContext(WordsBeforeNames):
    """Words v + pi(z), then a class name and a full stop; z is the image's unit frozen feature.

    pi: Linear, ReLU, Linear; its (text_width) output is added to each of the words. At ViT-B/16
    with 4 words there are 35,360 prompt tensor elements.

    Args:
        length: number of learned words.
    """

    def __init__(self, text_width: int, embed_dim: int, length: int = 4) -> None:
        super().__init__()
        self.context = nn.Parameter(CONTEXT_STD * torch.randn(length, text_width))
        middle = max(embed_dim // NARROWING, 1)
        self.narrow, self.widen = nn.Linear(embed_dim, middle), nn.Linear(middle, text_width)
        self._sentences = PromptedSentences(length, "context-length")

    def image_features(self, backbone: Backbone, images: Tensor, task: EncodedTask) -> Tensor:
        """images: (batch, 3, height, width), in [0, 1] -> unit frozen features (batch, d)."""
        return F.normalize(backbone.encode_image(images), dim=-1)

    def class_features(self, backbone: Backbone, task: EncodedTask) -> Tensor:
        """(classes, d) of the plain template; each image's own take their place."""
        return task.zero_shot_features

    def class_features_for(
        self, backbone: Backbone, image_features: Tensor, task: EncodedTask, class_features: Tensor
    ) -> Tensor:
        """(batch, classes, d), unit.

        A few images at a time; their sentences' activations are made again for the backward pass,
        so that memory does not grow with the batch.
        """
        tokens = self.token_ids(backbone, task.task.spoken_names)
        words = self.words(image_features)
        parts = words.split(max(SENTENCES_AT_ONCE // len(tokens), 1))
        encode = partial(_encode, backbone, tokens)
        if len(parts) == 1 or not words.requires_grad:
            return torch.cat([encode(part) for part in parts])
        again = partial(checkpoint, encode, use_reentrant=False, preserve_rng_state=False)
        return torch.cat([again(part) for part in parts])

    def words(self, image_features: Tensor) -> Tensor:
        """image_features: (batch, d), unit -> (batch, length, text_width)."""
        shift = self.widen(F.relu(self.narrow(image_features)))
        return self.context + shift[:, None]

    def prompts_images(self) -> bool:
        """No: they stay as the frozen model sees them."""
        return False


def _encode(backbone: Backbone, tokens: Tensor, words: Tensor) -> Tensor:
    """tokens: (classes, context_length); words: (n, length, text_width) -> unit (n, classes, d)."""
    n, classes = len(words), len(tokens)
    prompts = words[:, None].expand(-1, classes, -1, -1).flatten(0, 1)
    features = backbone.encode_text(tokens.repeat(n, 1), {0: prompts}, normalize=True)
    return features.unflatten(0, (n, classes))


def build_conditional_context(
    backbone: Backbone, options: ConditionalContextOptions, words: ClassWords
) -> ConditionalContext:
    """The words and their network; raises ConfigError when a class name leaves them no room."""
    context = ConditionalContext(backbone.text_width, backbone.embed_dim, options.context_length)
    context.token_ids(backbone, words.spoken)
    return context
