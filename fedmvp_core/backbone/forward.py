"""The prompted forward: the one loop over transformer blocks, and what surrounds it.

Shapes: n images or sentences, m prompt tokens, `width` of a tower, `embed_dim` of the features.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from fedmvp_core.backbone.blocks import RunBlock, run_block

Prompts = Mapping[int, Tensor]


def run_blocks(
    blocks: Iterable[nn.Module],
    tokens: Tensor,
    prompts: Prompts,
    first: int,
    attn_mask: Tensor | None = None,
    batch_first: bool = True,
    run: RunBlock = run_block,
) -> Tensor:
    """Run every block, putting prompts of depth d >= 1 in place at the input of block d.

    Args:
        blocks: open_clip's residual attention blocks.
        tokens: (n, length, width).
        prompts: depth -> (n, up to m, width), as `checked_prompts` returns them. Depth 0 is
            skipped: the caller has put it in place, since it goes before a normalisation or an
            addition.
        first: position of the first prompt token. When `length` ends there, nothing lies there yet,
            and the first deeper prompts are appended.
        attn_mask: (length, length), added to the attention scores.
        batch_first: layout of the blocks, as open_clip's Transformer has it.
        run: how one of them is run.
    """
    for depth, block in enumerate(blocks):
        if depth > 0 and depth in prompts:
            tokens = place(tokens, prompts[depth], first)
        tokens = run(block, tokens, attn_mask, batch_first)
    return tokens


def place(tokens: Tensor, prompts: Tensor, first: int) -> Tensor:
    """tokens (n, length, width) with k of them, from position `first` on, replaced by prompts.

    prompts: (n, k, width). The result is longer where they reach beyond the tokens' end.
    """
    before, after = tokens[:, :first], tokens[:, first + prompts.shape[1] :]
    return torch.cat([before, prompts.to(tokens.dtype), after], dim=1)


def checked_prompts(
    prompts: Prompts | None, tower: str, layers: int, batch: int, width: int
) -> tuple[dict[int, Tensor], int]:
    """Prompts as depth -> (batch, k, width), and the shallowest's number m (0 without prompts).

    Deeper prompts replace the first k <= m prompt tokens; the others go on as they are.

    Raises:
        ValueError: a depth that the tower lacks, a wrong shape, or deeper prompts of more tokens
            than the shallowest have.
    """
    checked: dict[int, Tensor] = {}
    shallowest, m = 0, 0
    for depth, prompt in sorted((prompts or {}).items()):
        if not 0 <= depth < layers:
            raise ValueError(
                f"{tower} prompts at depth {depth}: this {tower} tower has {layers} blocks, "
                f"so depths run from 0 to {layers - 1}"
            )
        shape = tuple(prompt.shape)
        if len(shape) not in (2, 3) or shape[-1] != width or shape[:-2] not in ((), (batch,)):
            raise ValueError(
                f"{tower} prompts at depth {depth} have shape {shape}; "
                f"expected (m, {width}) or ({batch}, m, {width})"
            )
        if checked and shape[-2] > m:
            raise ValueError(
                f"{tower} prompts at depth {depth} have {shape[-2]} tokens, those at depth "
                f"{shallowest} have {m}: deeper prompts replace earlier ones, so they may have "
                f"{m} at most"
            )
        if not checked:
            shallowest, m = depth, shape[-2]
        checked[depth] = prompt.expand(batch, shape[-2], width)
    return checked, m


def embed_patches(visual: Any, pixels: Tensor) -> Tensor:
    """Normalised pixels (n, 3, size, size) -> [class; patches] (n, 1 + patches, width).

    Positions are added; `ln_pre` is not applied yet.
    """
    patches = visual.conv1(pixels).flatten(2).transpose(1, 2)  # (n, patches, width)
    class_token = visual.class_embedding.to(patches.dtype).expand(len(patches), 1, -1)
    positions: Tensor = visual.positional_embedding.to(patches.dtype)
    return torch.cat([class_token, patches], dim=1) + positions


def encode_patches(
    visual: Any,
    tokens: Tensor,
    prompts: Prompts,
    regions: bool = False,
    run: RunBlock = run_block,
) -> Tensor:
    """[class; patches] (n, 1 + patches, width) -> image features (n, embed_dim).

    regions: features of the class token and of every patch, (n, 1 + patches, embed_dim). run: how a
    block is run.

    Prompts of depth 0 are appended before `ln_pre`, without positions: [class; patches; prompts],
    as in FedMVP (ICCV 2025) and VPT (ECCV 2022); deeper ones as in MaPLe and VPT-deep.
    """
    first = tokens.shape[1]
    if 0 in prompts:
        tokens = place(tokens, prompts[0], first)
    transformer = visual.transformer
    tokens = run_blocks(
        transformer.resblocks,
        visual.ln_pre(tokens),
        prompts,
        first,
        batch_first=transformer.batch_first,
        run=run,
    )
    # LayerNorm treats each token alone, so normalising those that are asked for is enough.
    asked = tokens[:, :first] if regions else tokens[:, 0]
    features: Tensor = visual.ln_post(asked) @ visual.proj
    return features


def encode_words(
    clip: Any,
    tokens: Tensor,
    end: Tensor,
    length: int,
    prompts: Prompts,
    run: RunBlock = run_block,
) -> Tensor:
    """Token ids (n, >= length) -> text features (n, embed_dim), read at position `end` (n,).

    Prompts replace positions 1..m: at depth 0 the words, before positions are added (CoOp), deeper
    the inputs of block d (MaPLe). The causal mask lets nothing after `length`, the last end-of-text
    of the batch, reach the result: those positions are cut off, not computed. run: how a block is
    run.
    """
    first = 1  # after the start-of-text token
    words = clip.token_embedding(tokens[:, :length])  # (n, length, width)
    if 0 in prompts:
        words = place(words, prompts[0], first)
    transformer = clip.transformer
    words = run_blocks(
        transformer.resblocks,
        words + clip.positional_embedding[:length],
        prompts,
        first,
        attn_mask=clip.attn_mask[:length, :length],
        batch_first=transformer.batch_first,
        run=run,
    )
    pooled: Tensor = clip.ln_final(words[torch.arange(len(words), device=words.device), end])
    projection = clip.text_projection
    if projection is not None:
        pooled = projection(pooled) if isinstance(projection, nn.Linear) else pooled @ projection
    return pooled
