"""A learned frame on the pixels, and a few visual tokens: AVP.

Visual Prompting for Adversarial Robustness (Chen et al., ICASSP 2023); the frame as in TeCoA (Mao
et al., ICLR 2023), the tokens as in the baseline of FAP (Zhou et al., NeurIPS 2024).
"""

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn

from fedmvp_core.backbone import Backbone
from fedmvp_core.config.options import Between, option
from fedmvp_core.data.catalogue import ClassWords
from fedmvp_core.errors import ConfigError
from fedmvp_core.prompting.prompting import Prompting
from fedmvp_core.tasks import EncodedTask

TOKENS = 5
TOKEN_STD = 0.02
PUBLISHED_PAD, PUBLISHED_SIZE = 30, 224


@dataclass(frozen=True)
class PixelFrameOptions:
    """The frame's width."""

    pad_size: Annotated[int, Between(0)] = option(
        0, "width of the frame in pixels; 0 = 30 at 224 pixels, and in proportion"
    )


class PixelFrame(Prompting):
    """Numbers that are added to the outer pixels of every picture, in training and at test.

    The sum is not clamped to [0, 1]: where it were, neither the frame nor an attack would get a
    gradient, and robustness would only seem to be there. The frame starts at zero. At 224 pixels
    with a frame of 30 there are 69,840 prompt tensor elements in it, and 3,840 in the tokens.

    Args:
        image_size: height and width of the pictures, in pixels.
        pad: width of the frame, in pixels; less than half of image_size.
    """

    def __init__(self, image_size: int, image_width: int, pad: int) -> None:
        super().__init__()
        inner = image_size - 2 * pad
        self.top = nn.Parameter(torch.zeros(3, pad, image_size))
        self.bottom = nn.Parameter(torch.zeros(3, pad, image_size))
        self.left = nn.Parameter(torch.zeros(3, inner, pad))
        self.right = nn.Parameter(torch.zeros(3, inner, pad))
        self.tokens = nn.Parameter(TOKEN_STD * torch.randn(TOKENS, image_width))

    def image_features(self, backbone: Backbone, images: Tensor, task: EncodedTask) -> Tensor:
        """images: (batch, 3, size, size), float in [0, 1] or uint8 -> unit features (batch, d)."""
        pixels = images.float() / 255 if images.dtype == torch.uint8 else images
        return backbone.encode_image(pixels + self.frame(), {0: self.tokens}, normalize=True)

    def class_features(self, backbone: Backbone, task: EncodedTask) -> Tensor:
        """(classes, d) of the plain template."""
        return task.zero_shot_features

    def prompts_text(self) -> bool:
        """No: the template's sentences stay as they are."""
        return False

    def frame(self) -> Tensor:
        """(3, size, size), zero inside the frame, in pixel units."""
        inside = self.left.new_zeros(3, self.left.shape[1], self.left.shape[1])
        middle = torch.cat([self.left, inside, self.right], dim=2)
        return torch.cat([self.top, middle, self.bottom], dim=1)


def build_pixel_frame(
    backbone: Backbone, options: PixelFrameOptions, words: ClassWords
) -> PixelFrame:
    """The frame and the tokens; raises ConfigError for a frame that leaves no picture inside."""
    size = backbone.image_size
    pad = options.pad_size or round(PUBLISHED_PAD * size / PUBLISHED_SIZE)
    if 2 * pad >= size:
        raise ConfigError(
            f"pad-size is {pad}; allowed: 1 to {(size - 1) // 2} at the {size} pixels of backbone "
            f"'{backbone.name}', or 0 for {PUBLISHED_PAD} at {PUBLISHED_SIZE} and in proportion"
        )
    return PixelFrame(size, backbone.image_width, pad)
