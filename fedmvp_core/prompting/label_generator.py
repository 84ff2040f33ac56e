"""Visual prompts that one generator makes of text prompts and of all labels: FedAPT's idea.

Adversarially robust federated prompt tuning (Zhai et al., ACM Multimedia 2025, arXiv 2509.06992).
Public is the idea alone: a class-aware generator turns text prompts into visual ones, is
conditioned on a global label embedding, so that a client's attacks on its own labels meet what is
known of all of them, and is shared by all layers. Everything else here is this project's: the text
prompts stand in front of the class name; those of each block ask the label embedding, the frozen
text features of all classes of the federation, by one attention; one linear map makes image tokens
of prompt and answer together.
"""

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn

from fedmvp_core.backbone import Backbone
from fedmvp_core.config.options import Between, option
from fedmvp_core.data.catalogue import ClassWords
from fedmvp_core.prompting.coupled import PROMPT_STD, deep_blocks
from fedmvp_core.prompting.sentences import FrozenTexts, PromptedSentences, WordsBeforeNames
from fedmvp_core.tasks import EncodedTask

HEADS = 4


@dataclass(frozen=True)
class LabelGeneratorOptions:
    """How many prompts, at how many blocks."""

    deep_length: Annotated[int, Between(1, 64)] = option(2, "prompts a block")
    deep_depth: Annotated[int, Between(0)] = option(
        0, "blocks with prompts of their own; 0 = up to 9, as many as both encoders have"
    )


class LabelGenerator(WordsBeforeNames):
    """Text prompts of each block, and one generator of the image prompts of all blocks.

    At ViT-B/16 with length 2 and depth 9 there are 1,453,824 prompt tensor elements.

    Args:
        label_sentences: of all classes that the federation trains on, in the plain template.
    """

    def __init__(
        self,
        text_width: int,
        image_width: int,
        embed_dim: int,
        label_sentences: tuple[str, ...],
        length: int,
        depth: int,
    ) -> None:
        super().__init__()
        prompts = [nn.Parameter(PROMPT_STD * torch.randn(length, text_width)) for _ in range(depth)]
        self.text = nn.ParameterList(prompts)
        self.attention = nn.MultiheadAttention(
            text_width, HEADS, kdim=embed_dim, vdim=embed_dim, batch_first=True
        )
        self.to_image = nn.Linear(text_width, image_width)
        self._label_sentences = label_sentences
        self._labels = FrozenTexts()
        self._sentences = PromptedSentences(length, "deep-length")

    def image_features(self, backbone: Backbone, images: Tensor, task: EncodedTask) -> Tensor:
        """images: (batch, 3, height, width), in [0, 1] -> unit features (batch, d)."""
        prompts = self.image_prompts(self.label_embedding(backbone))
        return backbone.encode_image(images, dict(enumerate(prompts)), normalize=True)

    def class_features(self, backbone: Backbone, task: EncodedTask) -> Tensor:
        """(classes, d), unit: the text prompts, then the class name and a full stop."""
        tokens = self.token_ids(backbone, task.task.spoken_names)
        return backbone.encode_text(tokens, dict(enumerate(self.text)), normalize=True)

    def label_embedding(self, backbone: Backbone) -> Tensor:
        """(classes of the federation, d), unit and frozen; encoded once."""
        return self._labels.features(backbone, self._label_sentences)

    def image_prompts(self, labels: Tensor) -> Tensor:
        """labels: (classes, d) -> (depth, length, image_width), all by the same weights."""
        text = torch.stack(list(self.text))
        asking, answers = text.flatten(0, 1)[None], labels[None]
        found, _ = self.attention(asking, answers, answers, need_weights=False)
        image: Tensor = self.to_image(asking + found)
        return image.view(*text.shape[:2], -1)


def build_label_generator(
    backbone: Backbone, options: LabelGeneratorOptions, words: ClassWords
) -> LabelGenerator:
    """The generator; raises ConfigError for more blocks than there are, or no room for prompts."""
    generator = LabelGenerator(
        text_width=backbone.text_width,
        image_width=backbone.image_width,
        embed_dim=backbone.embed_dim,
        label_sentences=words.sentences,
        length=options.deep_length,
        depth=deep_blocks(backbone, options.deep_depth),
    )
    generator.token_ids(backbone, words.spoken)
    return generator
