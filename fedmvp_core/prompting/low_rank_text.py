"""Learned words that all clients share, and a low-rank change of each client's own: FedPGP.

Harmonizing Generalization and Personalization in Federated Prompt Learning (Cui et al., ICML 2024).
"""

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn

from fedmvp_core.backbone import Backbone
from fedmvp_core.config.options import Between, option
from fedmvp_core.data.catalogue import ClassWords
from fedmvp_core.prompting.text_context import CONTEXT_STD, TextContext
from fedmvp_core.tasks import EncodedTask


@dataclass(frozen=True)
class LowRankTextOptions:
    """How many words, and the rank of what a client changes in them."""

    context_length: Annotated[int, Between(1, 64)] = option(16, "number of learned words")
    personal_rank: Annotated[int, Between(1, 64)] = option(4, "rank of a client's own change")


class LowRankText(TextContext):
    """Words sigma + U V: sigma is sent, U and V never leave their client.

    At ViT-B/16 with 16 words and rank 4, 8,192 prompt tensor elements are sent, 2,112 are kept.
    """

    def __init__(
        self, text_width: int, class_names: tuple[str, ...], length: int, rank: int
    ) -> None:
        super().__init__(text_width, class_names, length)
        self.left = nn.Parameter(CONTEXT_STD * torch.randn(length, rank))
        self.right = nn.Parameter(CONTEXT_STD * torch.randn(rank, text_width))

    def personal_tensors(self) -> tuple[str, ...]:
        """U and V."""
        return ("left", "right")

    def class_features(self, backbone: Backbone, task: EncodedTask) -> Tensor:
        """(classes, d), unit, with the client's own words."""
        return self.class_features_with(self.context + self.left @ self.right, backbone, task)

    def shared_class_features(self, backbone: Backbone, task: EncodedTask) -> Tensor:
        """(classes, d), unit, with the words that all clients share."""
        return self.class_features_with(self.context, backbone, task)


def build_low_rank_text(
    backbone: Backbone, options: LowRankTextOptions, words: ClassWords
) -> LowRankText:
    """The words; raises ConfigError when a class name leaves no room for them."""
    text = LowRankText(
        backbone.text_width, words.names, options.context_length, options.personal_rank
    )
    text.token_ids(backbone, words.spoken)
    return text
