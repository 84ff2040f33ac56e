"""Deep image prompts beside a memory of trained classes: FedKeep's prompting module.

A class's text feature moves by what the memory holds for class names like its own. A trained class
finds its own row. A new class finds rows of classes with like names, or none, and is then what it
is for the frozen model, which knows it best.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fedmvp_core.backbone import Backbone
from fedmvp_core.config.options import Between, option
from fedmvp_core.data.catalogue import ClassWords
from fedmvp_core.prompting.coupled import PROMPT_STD, DeepOptions, deep_blocks
from fedmvp_core.prompting.frozen_start import frozen_image_prompts
from fedmvp_core.prompting.prompting import Prompting
from fedmvp_core.prompting.sentences import FrozenTexts
from fedmvp_core.tasks import EncodedTask


@dataclass(frozen=True)
class ClassMemoryOptions(DeepOptions):
    """How many image prompts, at how many blocks, and how far the memory reaches."""

    deep_length: Annotated[int, Between(1, 64)] = option(4, "image prompts a block")
    memory_sharpness: Annotated[float, Between(0)] = option(
        50.0, "how fast a row fades with the distance of its class name from another"
    )
    memory_rate: Annotated[float, Between(0)] = option(
        1.0, "how far a class moves for each unit of its row"
    )


class ClassMemory(Prompting):
    """Image prompts at the first `depth` blocks, and a row of text offsets for each trained class.

    A class with frozen feature t has t + rate * sum_j w_j v_j, as long as t; v_j is the row of
    trained class j. With n the frozen feature of a class's name alone, w_j is
    exp(-sharpness * (1 - cos(n, n_j))); all w_j are divided by their sum where it is above 1. Rows
    start at 0 and image prompts as the frozen model would have them.

    Prompt tensor elements: depth x length x image width + trained classes x d; at ViT-B/16 with the
    defaults 27,648 + 512 a class.

    Args:
        trained: names of the trained classes, as sentences say them.
    """

    def __init__(
        self,
        image_width: int,
        embed_dim: int,
        trained: Sequence[str],
        options: ClassMemoryOptions,
        depth: int,
    ) -> None:
        super().__init__()
        length = options.deep_length
        self.image = nn.ParameterDict(
            {
                str(layer): nn.Parameter(PROMPT_STD * torch.randn(length, image_width))
                for layer in range(depth)
            }
        )
        self.memory = nn.Parameter(torch.zeros(len(trained), embed_dim))
        self.trained, self.options = tuple(trained), options
        self._names = FrozenTexts()

    def image_features(self, backbone: Backbone, images: Tensor, task: EncodedTask) -> Tensor:
        """images: (batch, 3, height, width), in [0, 1] -> unit features (batch, d)."""
        prompts: dict[int, Tensor] = {int(d): tokens for d, tokens in self.image.items()}
        return backbone.encode_image(images, prompts, normalize=True)

    def class_features(self, backbone: Backbone, task: EncodedTask) -> Tensor:
        """(classes, d): the frozen features, attributes and all, moved by the memory."""
        recalled = self.recalled(backbone, task.task.spoken_names)
        moved = task.class_features + self.options.memory_rate * recalled @ self.memory
        length = task.class_features.norm(dim=-1, keepdim=True)
        return F.normalize(moved, dim=-1) * length

    def recalled(self, backbone: Backbone, names: Sequence[str]) -> Tensor:
        """(names, trained classes): how much each class takes of each row."""
        nearness = self._features(backbone, names) @ self._features(backbone, self.trained).T
        weights = torch.exp(-self.options.memory_sharpness * (1 - nearness))
        return weights / weights.sum(dim=-1, keepdim=True).clamp(min=1)

    def _features(self, backbone: Backbone, names: Sequence[str]) -> Tensor:
        """(names, d), unit and frozen. Names alone, in no template, are furthest apart."""
        return self._names.features(backbone, [f"{name}." for name in names])


def build_class_memory(
    backbone: Backbone, options: ClassMemoryOptions, words: ClassWords
) -> ClassMemory:
    """The module; raises ConfigError when the backbone has fewer layers than `deep-depth`."""
    depth = deep_blocks(backbone, options.deep_depth, images_alone=True)
    module = ClassMemory(backbone.image_width, backbone.embed_dim, words.spoken, options, depth)
    if options.prompt_init == "frozen":
        start = frozen_image_prompts(backbone, options.deep_length, depth)
        with torch.no_grad():
            for layer, tokens in start.items():
                module.image[str(layer)].copy_(tokens)
    return module
