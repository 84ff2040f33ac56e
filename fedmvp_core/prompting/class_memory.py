"""Deep image prompts beside a memory of trained classes: FedKeep's prompting module.

A class's text feature moves by what the memory holds for class names like its own. A trained class
finds its own row. A new class finds rows of classes with like names, or none, and is then what it
is for the frozen model, which knows it best.
"""

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fedmvp_core.backbone import Backbone
from fedmvp_core.config.options import Between, option
from fedmvp_core.data.catalogue import ClassWords
from fedmvp_core.errors import ConfigError
from fedmvp_core.prompting.frozen_start import frozen_image_prompts
from fedmvp_core.prompting.prompting import Prompting
from fedmvp_core.tasks import EncodedTask

PUBLISHED_DEPTH = 9  # of deep prompts in MaPLe and FAP


@dataclass(frozen=True)
class ClassMemoryOptions:
    """How many image prompts, at how many blocks, and how far the memory reaches."""

    deep_length: Annotated[int, Between(1, 64)] = option(4, "image prompts a block")
    deep_depth: Annotated[int, Between(0)] = option(
        0, "blocks with image prompts of their own; 0 = up to 9, as many as the encoder has"
    )
    memory_sharpness: Annotated[float, Between(0)] = option(
        50.0, "how fast a row fades with the distance of its class name from another"
    )
    memory_rate: Annotated[float, Between(0)] = option(
        1.0, "how far a class moves for each unit of its row"
    )


class ClassMemory(Prompting):
    """Image prompts at the first `depth` blocks, and a row of text offsets for each trained class.

    A class with frozen feature t has t + rate * sum_j w_j v_j, of unit length, where v_j is the row
    of trained class j and w_j = exp(-sharpness * (1 - cos(t, t_j))), divided by their sum where it
    is above 1. Rows start at 0 and image prompts as the frozen model would have them.

    Prompt tensor elements: depth x length x image width + trained classes x d; at ViT-B/16 with the
    defaults 27,648 + 512 a class.

    Args:
        trained: (classes, d), unit frozen features of the trained classes' sentences.
    """

    trained: Tensor

    def __init__(
        self,
        image_width: int,
        trained: Tensor,
        length: int = 4,
        depth: int = 9,
        sharpness: float = 50.0,
        rate: float = 1.0,
    ) -> None:
        super().__init__()
        self.image = nn.ParameterDict(
            {str(d): nn.Parameter(0.02 * torch.randn(length, image_width)) for d in range(depth)}
        )
        self.memory = nn.Parameter(torch.zeros_like(trained))
        self.register_buffer("trained", trained, persistent=False)
        self.sharpness, self.rate = sharpness, rate

    def image_features(self, backbone: Backbone, images: Tensor, task: EncodedTask) -> Tensor:
        """images: (batch, 3, height, width), in [0, 1] -> unit features (batch, d)."""
        prompts: dict[int, Tensor] = {int(d): tokens for d, tokens in self.image.items()}
        return backbone.encode_image(images, prompts, normalize=True)

    def class_features(self, backbone: Backbone, task: EncodedTask) -> Tensor:
        """(classes, d): the frozen features, attributes and all, moved by the memory."""
        moved = self.rate * self.recalled(task.zero_shot_features) @ self.memory
        length = task.class_features.norm(dim=-1, keepdim=True)
        return F.normalize(task.class_features + moved, dim=-1) * length

    def recalled(self, features: Tensor) -> Tensor:
        """(classes, trained classes): how much each class takes of each row.

        features: (classes, d), unit frozen features of the classes' sentences.
        """
        near = torch.exp(-self.sharpness * (1 - features @ self.trained.T))
        return near / near.sum(dim=-1, keepdim=True).clamp(min=1)


def build_class_memory(
    backbone: Backbone, options: ClassMemoryOptions, words: ClassWords
) -> ClassMemory:
    """The module for the backbone; raises ConfigError when it has fewer layers than `deep-depth`."""
    if options.deep_depth > backbone.image_layers:
        raise ConfigError(
            f"deep-depth is {options.deep_depth}; allowed: 1 to {backbone.image_layers}, the image "
            f"layers of backbone '{backbone.name}', or 0 for up to {PUBLISHED_DEPTH}"
        )
    depth = options.deep_depth or min(PUBLISHED_DEPTH, backbone.image_layers)
    with torch.no_grad():
        trained = backbone.encode_text(backbone.tokenize(list(words.sentences)), normalize=True)
    module = ClassMemory(
        image_width=backbone.image_width,
        trained=trained,
        length=options.deep_length,
        depth=depth,
        sharpness=options.memory_sharpness,
        rate=options.memory_rate,
    )
    with torch.no_grad():
        for d, tokens in frozen_image_prompts(backbone, options.deep_length, depth).items():
            module.image[str(d)].copy_(tokens)
    return module
