"""Deep prompts in both encoders, of which one side may be projected from the other.

text-to-image   MaPLe: Multi-modal Prompt Learning (Khattak et al., CVPR 2023), section 3.2
image-to-text   FAP: Few-Shot Adversarial Prompt Learning on Vision-Language Models (Zhou et al.,
                NeurIPS 2024): text leads at the first layer only
independent     prompts of each side on their own, as FAP's baseline AdvVLP has them
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn

from fedmvp_core.backbone import Backbone, placeholder_sentences
from fedmvp_core.config.options import Between, OneOf, option
from fedmvp_core.data.catalogue import ClassWords
from fedmvp_core.errors import ConfigError
from fedmvp_core.prompting.frozen_start import frozen_image_prompts, frozen_text_prompts
from fedmvp_core.prompting.prompting import Prompting
from fedmvp_core.prompting.sentences import PromptedSentences
from fedmvp_core.tasks import EncodedTask, Task

PROMPT_STD = 0.02
PUBLISHED_DEPTH = 9  # layers with prompts of their own, in MaPLe and in FAP


@dataclass(frozen=True)
class DeepOptions:
    """How many prompts, at how many blocks, and how they begin."""

    deep_length: Annotated[int, Between(1, 64)] = option(2, "prompts a block")
    deep_depth: Annotated[int, Between(0)] = option(
        0, "blocks with prompts of their own; 0 = up to 9, as many as both encoders have"
    )
    prompt_init: Annotated[str, OneOf(("frozen", "random"))] = option(
        "frozen", "frozen: as nearly the frozen model as can be; random: as published"
    )


@dataclass(frozen=True)
class CoupledOptions(DeepOptions):
    """And which side leads."""

    coupling: Annotated[str, OneOf(("text-to-image", "image-to-text", "independent"))] = option(
        "text-to-image", "which side's prompts are projected from the other's"
    )


class CoupledPrompts(Prompting):
    """Prompts of `length` tokens at the inputs of the first `depth` layers of both encoders.

    Text prompts replace the first words of the template's sentence of a class, as in the published
    codes; image prompts come after the patches. Learned prompts are drawn from N(0, 0.02), unless
    `start_with` gives them a start.

    Args:
        placeholders: words in front of the template when it has fewer than `length` of its own.

    Prompt tensor elements at ViT-B/16 or B/32, length 2, depth 9: 3,555,072 (text-to-image),
    3,557,120 (image-to-text), 23,040 (independent).
    """

    def __init__(
        self,
        image_width: int,
        text_width: int,
        length: int,
        depth: int,
        coupling: str,
        placeholders: int = 0,
    ) -> None:
        super().__init__()
        # By depth; a depth is in `text` or in `image`, or in both when nothing is projected.
        self.text, self.image = nn.ParameterDict(), nn.ParameterDict()
        self.to_image, self.to_text = nn.ModuleDict(), nn.ModuleDict()
        for layer in range(depth):
            key = str(layer)
            text_leads = coupling == "text-to-image" or layer == 0
            if coupling == "independent" or text_leads:
                self.text[key] = nn.Parameter(PROMPT_STD * torch.randn(length, text_width))
            if coupling == "independent" or not text_leads:
                self.image[key] = nn.Parameter(PROMPT_STD * torch.randn(length, image_width))
            if coupling != "independent" and text_leads:
                self.to_image[key] = nn.Linear(text_width, image_width)
            elif coupling != "independent":
                self.to_text[key] = nn.Linear(image_width, text_width)
        self.depth = depth
        self._sentences = PromptedSentences(placeholders, "deep-length")

    def image_features(self, backbone: Backbone, images: Tensor, task: EncodedTask) -> Tensor:
        """images: (batch, 3, height, width), in [0, 1] -> unit features (batch, d)."""
        return backbone.encode_image(images, self.image_prompts(), normalize=True)

    def class_features(self, backbone: Backbone, task: EncodedTask) -> Tensor:
        """(classes, d), unit: the template's sentences with the text prompts in them."""
        tokens = self.token_ids(backbone, task.task.class_sentences())
        return backbone.encode_text(tokens, self.text_prompts(), normalize=True)

    def check_task(self, backbone: Backbone, task: Task) -> None:
        """Raises ConfigError when a class's sentence leaves no room for prompts."""
        self.token_ids(backbone, task.class_sentences())

    def token_ids(self, backbone: Backbone, sentences: list[str]) -> Tensor:
        """(sentences, context_length); raises ConfigError when one leaves no room for prompts."""
        return self._sentences.token_ids(backbone, sentences)

    def start_with(self, text: Mapping[int, Tensor], image: Mapping[int, Tensor]) -> None:
        """Set the prompts of both sides, depth -> (length, width of the side).

        A projected side gets its mean over the tokens from the projection's bias: one Linear cannot
        tell tokens apart before its weight has been trained.
        """
        _start(self.text, self.to_text, text)
        _start(self.image, self.to_image, image)

    def text_prompts(self) -> dict[int, Tensor]:
        """Depth -> (length, text_width)."""
        return _prompts(self.depth, self.text, self.to_text, self.image)

    def image_prompts(self) -> dict[int, Tensor]:
        """Depth -> (length, image_width)."""
        return _prompts(self.depth, self.image, self.to_image, self.text)


@torch.no_grad()
def _start(
    learned: nn.ParameterDict, projections: nn.ModuleDict, wanted: Mapping[int, Tensor]
) -> None:
    for key, prompts in learned.items():
        prompts.copy_(wanted[int(key)])
    for key, projection in projections.items():
        assert isinstance(projection, nn.Linear)
        projection.weight.zero_()
        projection.bias.copy_(wanted[int(key)].mean(dim=0))


def _prompts(
    depth: int, learned: nn.ParameterDict, projections: nn.ModuleDict, leading: nn.ParameterDict
) -> dict[int, Tensor]:
    """The learned prompts of a side, and those projected from the side that leads."""
    return {
        layer: learned[key] if key in learned else projections[key](leading[key])
        for layer, key in ((layer, str(layer)) for layer in range(depth))
    }


def build_coupled(backbone: Backbone, options: CoupledOptions, words: ClassWords) -> CoupledPrompts:
    """Deep prompts, coupled as `coupling` says; raises ConfigError as `deep_prompts`."""
    return deep_prompts(backbone, options, words, options.coupling)


def deep_prompts(
    backbone: Backbone, options: DeepOptions, words: ClassWords, coupling: str
) -> CoupledPrompts:
    """Deep prompts for the backbone.

    Raises:
        ConfigError: it has fewer layers than `deep-depth`, or the template's sentence of a class
            leaves no room for `deep-length` prompts.
    """
    length, depth = options.deep_length, deep_blocks(backbone, options.deep_depth)
    before_class = [template.partition("{class}")[0] for template in words.templates]
    ends = backbone.tokenize(before_class).argmax(dim=-1)
    own_words = int(ends.min()) - 1  # between start and end of text
    placeholders = max(length - own_words, 0)
    prompts = CoupledPrompts(
        image_width=backbone.image_width,
        text_width=backbone.text_width,
        length=length,
        depth=depth,
        coupling=coupling,
        placeholders=placeholders,
    )
    prompts.token_ids(backbone, list(words.sentences))
    if options.prompt_init == "frozen":
        lead = placeholder_sentences(placeholders, before_class)[0]
        prompts.start_with(
            frozen_text_prompts(backbone, lead, length, depth),
            frozen_image_prompts(backbone, length, depth),
        )
    return prompts


def deep_blocks(backbone: Backbone, asked: int, images_alone: bool = False) -> int:
    """How many blocks get prompts of their own. asked: `deep-depth`; 0: up to 9, as published.

    images_alone: whether text gets none, so that the image encoder alone must have so many.

    Raises:
        ConfigError: the encoders have fewer.
    """
    if images_alone:
        layers, whose = backbone.image_layers, f"the image layers of backbone '{backbone.name}'"
    else:
        layers = min(backbone.image_layers, backbone.text_layers)
        whose = f"the layers that both encoders of backbone '{backbone.name}' have"
    if asked > layers:
        raise ConfigError(
            f"deep-depth is {asked}; allowed: 1 to {layers}, {whose}, or 0 for up to "
            f"{PUBLISHED_DEPTH}"
        )
    return asked or min(PUBLISHED_DEPTH, layers)
