"""Learned words in front of a class name: CoOp's context, as PromptFL and APT train it.

Learning to Prompt for Vision-Language Models (Zhou et al., IJCV 2022). Images stay as they are.
"""

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fedmvp_core.backbone import Backbone
from fedmvp_core.config.options import Between, option
from fedmvp_core.data.catalogue import ClassWords
from fedmvp_core.prompting.sentences import PromptedSentences, WordsBeforeNames
from fedmvp_core.tasks import EncodedTask

CONTEXT_STD = 0.02


@dataclass(frozen=True)
class TextContextOptions:
    """How many words, and whose."""

    context_length: Annotated[int, Between(1, 64)] = option(16, "number of learned words")
    class_specific: bool = option(False, "words of each class's own, instead of the same for all")


class TextContext(WordsBeforeNames):
    """Learned words, then a class name and a full stop; one context, or one for each class.

    A class that was not trained has no words of its own: it gets the mean of the trained classes'.
    At ViT-B/16 there are 8,192 prompt tensor elements with 16 words for all classes, 512 with one.

    Args:
        class_names: the classes that are trained.
        length: number of learned words.
        class_specific: words of each class's own.
    """

    def __init__(
        self,
        text_width: int,
        class_names: tuple[str, ...],
        length: int = 16,
        class_specific: bool = False,
    ) -> None:
        super().__init__()
        # (length, text_width), or (trained classes, length, text_width)
        shape = (len(class_names), length) if class_specific else (length,)
        self.context = nn.Parameter(CONTEXT_STD * torch.randn(*shape, text_width))
        self._rows = {name: row for row, name in enumerate(class_names)}
        self._sentences = PromptedSentences(length, "context-length")

    def image_features(self, backbone: Backbone, images: Tensor, task: EncodedTask) -> Tensor:
        """images: (batch, 3, height, width), in [0, 1] -> unit frozen features (batch, d)."""
        return F.normalize(backbone.encode_image(images), dim=-1)

    def prompts_images(self) -> bool:
        """No: they stay as the frozen model sees them."""
        return False

    def class_features(self, backbone: Backbone, task: EncodedTask) -> Tensor:
        """(classes, d), unit."""
        return self.class_features_with(self.context, backbone, task)

    def class_features_with(self, context: Tensor, backbone: Backbone, task: EncodedTask) -> Tensor:
        """(classes, d), unit, with other words than the module's own, of the same shape."""
        names = task.task.class_names
        tokens = self.token_ids(backbone, task.task.spoken_names)
        return backbone.encode_text(tokens, {0: self._words(context, names)}, normalize=True)

    def _words(self, context: Tensor, names: tuple[str, ...]) -> Tensor:
        """(length, text_width), or (classes, length, text_width) with words of each class's own."""
        if context.ndim == 2:
            return context
        untrained = len(context)
        rows = [self._rows.get(name, untrained) for name in names]
        return torch.cat([context, context.mean(dim=0, keepdim=True)])[rows]


def build_text_context(
    backbone: Backbone, options: TextContextOptions, words: ClassWords
) -> TextContext:
    """The learned words; raises ConfigError when a class name leaves no room for them."""
    context = TextContext(
        text_width=backbone.text_width,
        class_names=words.names,
        length=options.context_length,
        class_specific=options.class_specific,
    )
    context.token_ids(backbone, words.spoken)
    return context
