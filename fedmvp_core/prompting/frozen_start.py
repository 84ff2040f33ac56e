"""Prompts that a frozen CLIP would have had anyway: a start that changes nothing, or little.

Random prompts are tokens that the frozen model has never seen, and cost accuracy until training has
won it back. Instead, text prompts start as what stands in their places without them, so that text
features do not change at all: attention is causal, so these places do not depend on the class name
behind them. Image prompts start as copies of the class token and, deeper, as what these become.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from fedmvp_core.backbone import Backbone

WHITE = 1.0  # of the blank image through which copies of the class token are followed


@torch.no_grad()
def frozen_text_prompts(backbone: Backbone, sentence: str, m: int, depth: int) -> dict[int, Tensor]:
    """Depth -> (m, text_width): what stands at the places 1 to m of `sentence`."""
    tokens = backbone.tokenize([sentence])
    words = backbone.clip.token_embedding(tokens.to(backbone.device))[0, 1 : 1 + m]
    with _block_inputs(backbone.clip.transformer) as inputs:
        backbone.encode_text(tokens)
    return {0: words.float()} | {d: inputs(d)[0, 1 : 1 + m].float() for d in range(1, depth)}


@torch.no_grad()
def frozen_image_prompts(backbone: Backbone, m: int, depth: int) -> dict[int, Tensor]:
    """Depth -> (m, image_width): copies of the class token, and what they become further on."""
    copies = backbone.class_token().expand(m, -1)
    size = backbone.image_size
    blank = torch.full((1, 3, size, size), WHITE, device=backbone.device)
    with _block_inputs(backbone.clip.visual.transformer) as inputs:
        backbone.encode_image(blank, {0: copies})
    return {0: copies.clone()} | {d: inputs(d)[0, -m:].float() for d in range(1, depth)}


@contextmanager
def _block_inputs(transformer: Any) -> Iterator[Callable[[int], Tensor]]:
    """Note what enters each block in the block: depth -> (n, length, width)."""
    seen: list[Tensor] = []

    def note(block: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        tokens = arguments[0]
        seen.append(tokens if transformer.batch_first else tokens.transpose(0, 1))

    hooks = [block.register_forward_pre_hook(note) for block in transformer.resblocks]
    try:
        yield seen.__getitem__
    finally:
        for hook in hooks:
            hook.remove()
