"""Deep image prompts and a memory, both for trained classes alone: FedKeep's prompting module.

A class's text feature moves by what the memory holds for class names like its own. A trained class
finds its own row. A new class finds rows of classes with like names, or none, and is then what it
is for the frozen model, which knows it best. Images are seen twice where both kinds are asked for:
through the prompts to be compared with classes that the memory knows, without them for the others.
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
from fedmvp_core.prompting.prompting import Features, Prompting
from fedmvp_core.prompting.sentences import FrozenTexts
from fedmvp_core.prompting.transport import less_shared, with_shared
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
    image_rate: Annotated[float, Between(0.01, 100)] = option(
        2.5, "how far an image prompt moves for each unit of its tensor"
    )


KNOWN = 0.5  # of a row: a class that recalls as much of the memory is one that it knows


class ClassMemory(Prompting):
    """Image prompts at the first `depth` blocks, and a row of text offsets for each trained class.

    A class with frozen feature t has t + rate * sum_j w_j v_j, as long as t; v_j is the row of
    trained class j. With n the frozen feature of a class's name alone, w_j is
    exp(-sharpness * (1 - cos(n, n_j))); all w_j are divided by their sum where it is above 1. Rows
    start at 0 and image prompts as the frozen model would have them. A class whose w_j sum to KNOWN
    or more is compared with the prompted image, any other with the image of the frozen model.

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
        length, rate = options.deep_length, options.image_rate
        self.image = nn.ParameterDict(
            {
                str(layer): nn.Parameter(PROMPT_STD / rate * torch.randn(length, image_width))
                for layer in range(depth)
            }
        )
        self.memory = nn.Parameter(torch.zeros(len(trained), embed_dim))
        self.trained, self.options = tuple(trained), options
        self._names = FrozenTexts()

    def image_features(self, backbone: Backbone, images: Tensor, task: EncodedTask) -> Tensor:
        """images: (batch, 3, height, width), in [0, 1] -> unit features (batch, d).

        Prompted, unless the memory knows none of the task's classes.
        """
        known = self.known(backbone, task.task.spoken_names)
        return self._seen(backbone, images, prompted=bool(known.any()))

    def recognise(
        self,
        backbone: Backbone,
        images: Tensor,
        task: EncodedTask,
        class_features: Tensor,
        asked: EncodedTask,
    ) -> Features:
        """As every module's; each kind of class has logits from an image feature of its own."""
        known = self.known(backbone, asked.task.spoken_names)
        seen = self._seen(backbone, images, prompted=bool(known.any()))
        if known.all() or not known.any():
            return Features(seen, class_features)
        as_frozen = self._seen(backbone, images, prompted=False)
        texts = with_shared(class_features, asked)
        scores = less_shared(seen @ texts.T, asked)
        frozen_scores = less_shared(as_frozen @ texts.T, asked)
        logits = backbone.logit_scale * scores.where(known, frozen_scores)
        return Features(seen, class_features, logits)

    def known(self, backbone: Backbone, names: Sequence[str]) -> Tensor:
        """(names,) bool: whether the memory knows each class."""
        return self.recalled(backbone, names).sum(dim=-1) >= KNOWN

    def _seen(self, backbone: Backbone, images: Tensor, prompted: bool) -> Tensor:
        """(batch, d), unit, with the image prompts or as the frozen model has it."""
        rate = self.options.image_rate
        prompts = {int(layer): rate * tokens for layer, tokens in self.image.items()}
        return backbone.encode_image(images, prompts if prompted else None, normalize=True)

    def class_features(self, backbone: Backbone, task: EncodedTask) -> Tensor:
        """(classes, d): the frozen features of the plain template, moved by the memory."""
        recalled = self.recalled(backbone, task.task.spoken_names)
        moved = task.zero_shot_features + self.options.memory_rate * recalled @ self.memory
        length = task.zero_shot_features.norm(dim=-1, keepdim=True)
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
                module.image[str(layer)].copy_(tokens / options.image_rate)
    return module
