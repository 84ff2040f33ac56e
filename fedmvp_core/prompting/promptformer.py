"""PromptFormer: visual prompts by cross-attention from image patches to attribute text.

FedMVP: Multimodal Visual Prompt Tuning for Federated Learning of Vision-Language Models
(Singha et al., ICCV 2025), section 3. At ViT-B/16 it has 9,845,760 prompt tensor elements, its LoRA
phase 36,864.
"""

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fedmvp_core.backbone import Backbone
from fedmvp_core.config.options import Between, OneOf, option
from fedmvp_core.data.catalogue import ClassWords
from fedmvp_core.errors import ConfigError
from fedmvp_core.prompting.prompting import Prompting
from fedmvp_core.tasks import EncodedTask

LORA_STD = 0.02
LORA = "lora"  # the phase in which low-rank factors alone are trained


@dataclass(frozen=True)
class PromptFormerOptions:
    """Sizes, and how prompts begin."""

    prompt_length: Annotated[int, Between(1, 64)] = option(
        4, "m: visual prompts made for each image"
    )
    attention_heads: Annotated[int, Between(1, 64)] = option(4, "of the cross-attention")
    lora_rank: Annotated[int, Between(1, 1024)] = option(8, "of the LoRA phase")
    prompt_init: Annotated[str, OneOf(("frozen", "random"))] = option(
        "frozen", "frozen: as nearly the frozen model as can be; random: as published"
    )
    queries: Annotated[str, OneOf(("image", "shuffled", "noise", "constant"))] = option(
        "image", "for ablations: the image's patches, another image's, or what is drawn instead"
    )


class FeedForward(nn.Module):
    """LayerNorm, GEGLU with a hidden width of four times the input, and back."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.expand = nn.Linear(width, 8 * width)
        self.shrink = nn.Linear(4 * width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """(..., width) -> (..., width)."""
        value, gate = self.expand(self.norm(tokens)).chunk(2, dim=-1)
        return self.shrink(value * F.gelu(gate))


class InputLoRA(nn.Module):
    """x -> x + x A B, low-rank, on what a projection gets, before its norm if it has one."""

    def __init__(self, width: int, rank: int) -> None:
        super().__init__()
        self.down = nn.Parameter(LORA_STD * torch.randn(width, rank))
        # Zero means that switching to LoRA does not move the function; see start_lora.
        self.up = nn.Parameter(torch.zeros(rank, width))

    def forward(self, tokens: Tensor) -> Tensor:
        """(..., width) -> (..., width)."""
        return tokens + tokens @ self.down @ self.up


class PromptFormer(Prompting):
    """Prompts made for each image from its own patches and the task's attributes.

    Args:
        image_width: width of the image encoder's tokens.
        text_width: width of the text features (CLIP's joint width).
        prompt_length: number m of prompts.
        heads: attention heads; must divide image_width.
        lora_rank: rank of the LoRA phase.
        queries: what asks the attributes; see `queried`.
    Raises:
        ValueError: heads do not divide the width.
    """

    def __init__(
        self,
        image_width: int,
        text_width: int,
        prompt_length: int = 4,
        heads: int = 4,
        lora_rank: int = 8,
        queries: str = "image",
    ) -> None:
        super().__init__()
        if image_width % heads:
            raise ValueError(f"{heads} attention heads do not divide the image width {image_width}")
        self.heads, self.prompt_length, self.queries = heads, prompt_length, queries
        self.project_attributes = nn.Linear(text_width, image_width)
        self.query_norm = nn.LayerNorm(image_width)
        self.key_norm = nn.LayerNorm(image_width)
        self.query = _attention_input(image_width)
        self.key = _attention_input(image_width)
        self.value = _attention_input(image_width)
        self.attention_output = nn.Linear(image_width, image_width)
        nn.init.zeros_(self.attention_output.bias)
        self.feed_forward = FeedForward(image_width)
        self.lora = nn.ModuleDict(
            {name: InputLoRA(image_width, lora_rank) for name in ("query", "key", "value")}
        )

    def image_features(self, backbone: Backbone, images: Tensor, task: EncodedTask) -> Tensor:
        """Append the image's prompts after its patches, before the first block ([CLS; E; P])."""
        tokens = backbone.embed_patches(images)  # (batch, 1 + patches, width)
        with backbone.autocast():
            prompts = self.prompts(self.queried(tokens[:, 1:]), task.attribute_features)
        features = backbone.encode_tokens(tokens, {0: prompts})
        return F.normalize(features, dim=-1)

    def queried(self, patches: Tensor) -> Tensor:
        """patches: (batch, patches, width) -> what takes their place in an ablation.

        image: themselves. shuffled: those of the next image of the batch. noise: N(0, 1), of each
        place in the batch its own. constant: N(0, 1), the same for all images.
        """
        if self.queries == "image":
            return patches
        if self.queries == "shuffled":
            return patches.roll(1, dims=0)
        shape = patches.shape if self.queries == "noise" else (1, *patches.shape[1:])
        drawn = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        return drawn.to(patches).expand_as(patches)

    def prompts(self, patches: Tensor, attributes: Tensor) -> Tensor:
        """patches: (batch, patches, width); attributes: (attributes, text_width).

        Returns: (batch, prompt_length, width).
        """
        query, key, value = self._project(patches, attributes)
        attended = F.scaled_dot_product_attention(query, key, value)
        attended = attended.transpose(1, 2).flatten(2)  # (batch, patches, width)
        tokens = self.attention_output(attended)  # no residual around the attention
        tokens = self.feed_forward(tokens) + tokens
        return F.adaptive_avg_pool1d(tokens.transpose(1, 2), self.prompt_length).transpose(1, 2)

    def attention(self, backbone: Backbone, images: Tensor, task: EncodedTask) -> Tensor:
        """Which attribute each patch looks at: (batch, patches, attributes), mean over heads."""
        patches = backbone.embed_patches(images)[:, 1:]
        query, key, _ = self._project(self.queried(patches), task.attribute_features)
        scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
        return scores.softmax(dim=-1).mean(dim=1)

    def _project(self, patches: Tensor, attributes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Query (batch, heads, patches, head), key and value (batch, heads, attributes, head).

        Keys and values are the same for all images of a batch, so they are made once.
        """
        projected = self.project_attributes(attributes)  # (attributes, width)
        # Norms on queries and keys only, after LoRA as in the released code; values have none.
        query = self.query(self.query_norm(self.lora["query"](patches)))
        key = self.key(self.key_norm(self.lora["key"](projected)))
        value = self.value(self.lora["value"](projected))
        shape = (len(patches), self.heads, len(attributes), -1)
        return (
            query.unflatten(-1, (self.heads, -1)).transpose(1, 2),
            key.unflatten(-1, (self.heads, -1)).transpose(0, 1).expand(shape),
            value.unflatten(-1, (self.heads, -1)).transpose(0, 1).expand(shape),
        )

    def phase_tensors(self, phase: str) -> tuple[str, ...]:
        """full: all but LoRA. lora: only LoRA, and everything else is frozen."""
        names = [name for name, _ in self.named_parameters()]
        return tuple(name for name in names if name.startswith("lora.") == (phase == LORA))

    def start_with(self, token: Tensor) -> None:
        """Make every prompt a copy of `token` ((width,), before ln_pre) until training moves it.

        A random start, as published, puts tokens that the frozen model has never seen beside every
        image; with a token of its own it starts as nearly the frozen model. All tensors still get
        gradients: those of the last layers at once, those before them from the second step.
        """
        with torch.no_grad():
            for last in (self.attention_output, self.feed_forward.shrink):
                last.weight.zero_()
                last.bias.zero_()
            self.feed_forward.shrink.bias.copy_(token)

    def start_lora(self, generator: torch.Generator) -> None:
        """Draw both LoRA factors, as published, unless training has already moved them."""
        for lora in self.lora.values():
            assert isinstance(lora, InputLoRA)
            if not lora.up.any():
                with torch.no_grad():
                    drawn = torch.randn(lora.up.shape, generator=generator)
                    lora.up.copy_(LORA_STD * drawn)


def _attention_input(width: int) -> nn.Linear:
    """A projection drawn as nn.MultiheadAttention draws its packed (3 width, width) one."""
    linear = nn.Linear(width, width)
    nn.init.xavier_uniform_(linear.weight, gain=1 / math.sqrt(2))
    nn.init.zeros_(linear.bias)
    return linear


def build_promptformer(
    backbone: Backbone, options: PromptFormerOptions, words: ClassWords
) -> PromptFormer:
    """PromptFormer for the backbone; raises ConfigError for heads that do not divide its width."""
    if backbone.image_width % options.attention_heads:
        raise ConfigError(
            f"attention-heads is {options.attention_heads}; allowed: a divisor of the image width "
            f"{backbone.image_width} of backbone '{backbone.name}'"
        )
    promptformer = PromptFormer(
        image_width=backbone.image_width,
        text_width=backbone.embed_dim,
        prompt_length=options.prompt_length,
        heads=options.attention_heads,
        lora_rank=options.lora_rank,
        queries=options.queries,
    )
    if options.prompt_init == "frozen":
        promptformer.start_with(backbone.class_token())
    return promptformer
