"""Learned tokens beside an image's patches, in two phases, of which one token is a client's own."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fedmvp_core.backbone import Backbone
from fedmvp_core.config.options import Annotated, Between, OneOf, option
from fedmvp_core.data.catalogue import ClassWords
from fedmvp_core.methods import Method
from fedmvp_core.prompting import Prompting
from fedmvp_core.tasks import EncodedTask


@dataclass(frozen=True)
class TokenOptions:
    """Two options."""

    length: Annotated[int, Between(1, 64)] = option(8, "tokens of every image")
    start: Annotated[str, OneOf(("frozen", "random"))] = option("frozen", "how they begin")


class Tokens(Prompting):
    """tokens: the same at all clients. own: one that never leaves its client."""

    def __init__(self, start: Tensor) -> None:
        super().__init__()
        self.tokens = nn.Parameter(start)  # (length, width)
        self.shift = nn.Parameter(torch.zeros(start.shape[1]))
        self.own = nn.Parameter(start[:1].clone())

    def image_features(self, backbone: Backbone, images: Tensor, task: EncodedTask) -> Tensor:
        """images: (batch, 3, height, width), in [0, 1] -> unit features (batch, d)."""
        prompts = torch.cat([self.tokens + self.shift, self.own])
        return backbone.encode_image(images, {0: prompts}, normalize=True)

    def phase_tensors(self, phase: str) -> tuple[str, ...]:
        """First all, then what is small."""
        return ("tokens", "shift", "own") if phase == "all" else ("shift", "own")

    def personal_tensors(self) -> tuple[str, ...]:
        """What clients keep."""
        return ("own",)


def build(backbone: Backbone, options: TokenOptions, words: ClassWords) -> Tokens:
    """The untrained module."""
    shape = (options.length, backbone.image_width)
    if options.start == "random":
        return Tokens(0.02 * torch.randn(shape))
    return Tokens(backbone.class_token().expand(shape).clone())


method = Method(
    name="guest-tokens",
    paper="a test's",
    prompting=build,
    objective="cross-entropy",
    options=TokenOptions,
    phases=lambda options: ("all", "small"),
    next_phase=lambda phase, last_loss, options: "small",
)
