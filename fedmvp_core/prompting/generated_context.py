"""Words that a network makes of the names of a task's classes: FedTPG's prompt generator.

Federated Text-driven Prompt Generation for Vision-Language Models (Qiu et al., ICLR 2024). Images
stay as they are; the same words stand before every class name.
"""

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fedmvp_core.backbone import Backbone
from fedmvp_core.config.options import Between, option
from fedmvp_core.data.catalogue import ClassWords
from fedmvp_core.prompting.promptformer import FeedForward
from fedmvp_core.prompting.sentences import FrozenTexts, PromptedSentences, WordsBeforeNames
from fedmvp_core.prompting.text_context import CONTEXT_STD
from fedmvp_core.tasks import EncodedTask

HEADS = 4


@dataclass(frozen=True)
class GeneratedContextOptions:
    """How many words."""

    context_length: Annotated[int, Between(1, 64)] = option(4, "number of words that are made")


class GeneratedContext(WordsBeforeNames):
    """Learned queries attend to the names' frozen features; a feed-forward makes words of it.

    Keys and values are both normalised (PromptFormer's values are not), and there is no residual
    around the attention. At ViT-B/16 with 4 words there are 4,206,080 prompt tensor elements.

    Args:
        embed_dim: width of the names' features.
        length: number of words.
    """

    reads_class_set = True

    def __init__(self, text_width: int, embed_dim: int, length: int = 4) -> None:
        super().__init__()
        self.queries = nn.Parameter(CONTEXT_STD * torch.randn(length, text_width))
        self.query_norm, self.name_norm = nn.LayerNorm(text_width), nn.LayerNorm(embed_dim)
        self.attention = nn.MultiheadAttention(text_width, HEADS, kdim=embed_dim, vdim=embed_dim)
        self.feed_forward = FeedForward(text_width)
        self._sentences = PromptedSentences(length, "context-length")
        self._names = FrozenTexts()

    def image_features(self, backbone: Backbone, images: Tensor, task: EncodedTask) -> Tensor:
        """images: (batch, 3, height, width), in [0, 1] -> unit frozen features (batch, d)."""
        return F.normalize(backbone.encode_image(images), dim=-1)

    def class_features(self, backbone: Backbone, task: EncodedTask) -> Tensor:
        """(classes, d), unit, with words made of the names of all the task's classes."""
        names = task.task.spoken_names
        words = self.words(self.name_features(backbone, names))
        return backbone.encode_text(self.token_ids(backbone, names), {0: words}, normalize=True)

    def name_features(self, backbone: Backbone, names: tuple[str, ...]) -> Tensor:
        """(classes, embed_dim), unit and frozen, of the bare names; encoded once."""
        return self._names.features(backbone, names)

    def words(self, names: Tensor) -> Tensor:
        """names: (classes, embed_dim), unit features of bare names -> (length, text_width)."""
        seen = self.name_norm(names)
        tokens, _ = self.attention(self.query_norm(self.queries), seen, seen, need_weights=False)
        made: Tensor = self.feed_forward(tokens) + tokens
        return made

    def prompts_images(self) -> bool:
        """No: they stay as the frozen model sees them."""
        return False


def build_generated_context(
    backbone: Backbone, options: GeneratedContextOptions, words: ClassWords
) -> GeneratedContext:
    """The generator; raises ConfigError when a class name leaves the words no room."""
    context = GeneratedContext(backbone.text_width, backbone.embed_dim, options.context_length)
    context.token_ids(backbone, words.spoken)
    return context
