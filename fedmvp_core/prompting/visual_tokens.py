"""Free visual tokens behind the patches: VPT, at the input alone or fresh ones at every block.

Visual Prompt Tuning (Jia et al., ECCV 2022). Text stays the plain template's.
"""

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn

from fedmvp_core.backbone import Backbone
from fedmvp_core.config.options import Between, option
from fedmvp_core.data.catalogue import ClassWords
from fedmvp_core.prompting.prompting import Prompting
from fedmvp_core.tasks import EncodedTask

TOKEN_STD = 0.02
SHALLOW, DEEP = 4, 8  # tokens a block; see methods/fedvpt.py


@dataclass(frozen=True)
class VisualTokensOptions:
    """How many tokens, and where."""

    deep: bool = option(False, "fresh tokens at every block, instead of at the input alone")
    prompt_length: Annotated[int, Between(0, 64)] = option(
        0, "tokens a block; 0 = 4 at the input alone, 8 at every block"
    )


class VisualTokens(Prompting):
    """Tokens at the inputs of the first `depth` blocks; deeper ones take the place of earlier ones.

    They are drawn from N(0, 0.02), as published. That changes the tiny CLIP's features less than
    copies of its class token do.

    At ViT-B/16 there are 3,072 prompt tensor elements with 4 tokens at the input alone, and 73,728
    with 8 at each of the 12 blocks.
    """

    def __init__(self, image_width: int, length: int, depth: int) -> None:
        super().__init__()
        self.tokens = nn.Parameter(TOKEN_STD * torch.randn(depth, length, image_width))

    def image_features(self, backbone: Backbone, images: Tensor, task: EncodedTask) -> Tensor:
        """images: (batch, 3, height, width), in [0, 1] -> unit features (batch, d)."""
        return backbone.encode_image(images, dict(enumerate(self.tokens)), normalize=True)

    def class_features(self, backbone: Backbone, task: EncodedTask) -> Tensor:
        """(classes, d) of the plain template."""
        return task.zero_shot_features

    def prompts_text(self) -> bool:
        """No: the template's sentences stay as they are."""
        return False


def build_visual_tokens(
    backbone: Backbone, options: VisualTokensOptions, words: ClassWords
) -> VisualTokens:
    """Tokens for the backbone's image encoder."""
    length = options.prompt_length or (DEEP if options.deep else SHALLOW)
    depth = backbone.image_layers if options.deep else 1
    return VisualTokens(backbone.image_width, length, depth)
