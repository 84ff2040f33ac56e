"""Deep image prompts and a memory, both for trained classes alone: FedKeep's prompting module.

A trained class has a row of numbers that moves its text feature, and is compared with the image as
the prompts show it. Any other class is what it is for the frozen model, which knows it best, and is
compared with the image of the frozen model. Where both kinds are asked for, images are seen twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fedmvp_core.backbone import Backbone
from fedmvp_core.config.options import Between, OneOf, option
from fedmvp_core.data.catalogue import ClassWords
from fedmvp_core.prompting.coupled import PROMPT_STD, DeepOptions, deep_blocks
from fedmvp_core.prompting.frozen_start import frozen_image_prompts
from fedmvp_core.prompting.prompting import Features, Prompting
from fedmvp_core.prompting.transport import less_shared, with_shared
from fedmvp_core.tasks import EncodedTask

# How much a client that holds no image of a class says of its row, against one that does.
ABSENT = 0.01


@dataclass(frozen=True)
class ClassMemoryOptions(DeepOptions):
    """How many image prompts, at how many blocks, and how fast both parts move."""

    deep_length: Annotated[int, Between(1, 64)] = option(4, "image prompts a block")
    memory_rate: Annotated[float, Between(0)] = option(
        0.25, "how far a class moves for each unit of its row"
    )
    image_rate: Annotated[float, Between(0.01, 100)] = option(
        2.5, "how far an image prompt moves for each unit of its tensor"
    )
    average_over: Annotated[str, OneOf(("holders", "all"))] = option(
        "holders", "the clients whose rows count: those that hold the class, or all"
    )


class ClassMemory(Prompting):
    """Image prompts at the first `depth` blocks, and a row for each trained class.

    A trained class with frozen feature t and row v has t + rate * v, as long as t. Rows start at 0
    and image prompts as the frozen model would have them.

    Plain FedAvg would average a row over all clients, of which one alone may hold the class. So a
    client sends its rows times `held`, 1 for the classes of its own and ABSENT for others, and
    `held` itself; the quotient of both averages is the mean over the clients that hold the class.
    With `average-over=all` every client sends 1, which is plain FedAvg.

    Prompt tensor elements: depth x length x image width + trained classes x (d + 1); at ViT-B/16
    with the defaults 27,648 + 513 a class.

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
        self.held = nn.Parameter(torch.ones(len(trained)))
        self.options = options
        self._places = {name: row for row, name in enumerate(trained)}

    def image_features(self, backbone: Backbone, images: Tensor, task: EncodedTask) -> Tensor:
        """images: (batch, 3, height, width), in [0, 1] -> unit features (batch, d).

        Prompted, unless none of the task's classes was trained.
        """
        return self._seen(backbone, images, prompted=any(self.known(task)))

    def class_features(self, backbone: Backbone, task: EncodedTask) -> Tensor:
        """(classes, d): the frozen features of the plain template, moved by the memory."""
        frozen = task.zero_shot_features
        places = [place for place, known in enumerate(self.known(task)) if known]
        rows = [self._places[task.task.spoken_names[place]] for place in places]
        shift = torch.zeros_like(frozen).index_put(
            (torch.tensor(places, device=frozen.device, dtype=torch.long),),
            self.options.memory_rate * self.rows()[rows],
        )
        return F.normalize(frozen + shift, dim=-1) * frozen.norm(dim=-1, keepdim=True)

    def recognise(
        self,
        backbone: Backbone,
        images: Tensor,
        task: EncodedTask,
        class_features: Tensor,
        asked: EncodedTask,
    ) -> Features:
        """As every module's; each kind of class has logits from an image feature of its own."""
        known = self.known(asked)
        seen = self._seen(backbone, images, prompted=any(known))
        if all(known) or not any(known):
            return Features(seen, class_features)
        texts = with_shared(class_features, asked)
        scores, frozen = (
            less_shared(features @ texts.T, asked)
            for features in (seen, self._seen(backbone, images, prompted=False))
        )
        logits = scores.where(torch.tensor(known, device=scores.device), frozen)
        return Features(seen, class_features, backbone.logit_scale * logits)

    def known(self, task: EncodedTask) -> list[bool]:
        """Of each class of the task whether it was trained, as its name says."""
        return [name in self._places for name in task.task.spoken_names]

    def rows(self) -> Tensor:
        """(trained classes, d): the memory over `held`, which has no gradient."""
        return self.memory / self.held.detach().clamp(min=ABSENT / 2)[:, None]

    @torch.no_grad()
    def settle(self) -> None:
        """Put the rows themselves into the memory, before they are trained; no change."""
        self.memory.copy_(self.rows())
        self.held.fill_(1)

    @torch.no_grad()
    def hand_over(self, received: Mapping[str, Tensor], draw: torch.Generator) -> None:
        """Weigh the rows: the last step's gradient tells those of the client's own classes."""
        if self.memory.grad is None or self.options.average_over == "all":
            return
        own = self.memory.grad.any(dim=-1)
        self.held.copy_(torch.where(own, 1.0, ABSENT))
        self.memory.mul_(self.held[:, None])

    def _seen(self, backbone: Backbone, images: Tensor, prompted: bool) -> Tensor:
        """(batch, d), unit, with the image prompts or as the frozen model has it."""
        rate = self.options.image_rate
        prompts = {int(layer): rate * tokens for layer, tokens in self.image.items()}
        return backbone.encode_image(images, prompts if prompted else None, normalize=True)


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
