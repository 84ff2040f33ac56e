"""CLIP's two towers written out by hand: one image or sentence, one head at a time."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from fedmvp_core.backbone import Backbone


def plain_image_features(
    backbone: Backbone, images: Tensor, prompts: Mapping[int, Tensor]
) -> Tensor:
    """One image at a time, patches cut by hand, each prompt put in by list concatenation."""
    visual, size = backbone.clip.visual, backbone.patch_size
    mean, std = (
        torch.tensor(v).view(3, 1, 1) for v in (backbone._config.mean, backbone._config.std)
    )
    kernel = visual.conv1.weight.flatten(1)  # (width, 3 * size * size)
    features = []
    for i, image in enumerate((images - mean) / std):
        grid = range(0, backbone.image_size, size)
        cut = [image[:, y : y + size, x : x + size].reshape(-1) for y in grid for x in grid]
        rows = torch.cat([visual.class_embedding[None], torch.stack(cut) @ kernel.T])
        rows = rows + visual.positional_embedding
        own = {d: p[i] if p.ndim == 3 else p for d, p in prompts.items()}
        if 0 in own:
            rows = torch.cat([rows, own[0]])
        rows = layer_norm(rows, visual.ln_pre)
        frozen = len(cut) + 1
        for depth, block in enumerate(visual.transformer.resblocks):
            if depth > 0 and depth in own:
                rows = torch.cat([rows[:frozen], own[depth], rows[frozen + len(own[depth]) :]])
            rows = plain_block(rows, block, causal=False)
        features.append(layer_norm(rows, visual.ln_post)[0] @ visual.proj)
    return torch.stack(features)


def plain_text_features(
    backbone: Backbone, tokens: Tensor, prompts: Mapping[int, Tensor]
) -> Tensor:
    """One sentence at a time, all of the context."""
    clip = backbone.clip
    features = []
    for i, ids in enumerate(tokens):
        own = {d: p[i] if p.ndim == 3 else p for d, p in prompts.items()}
        rows = clip.token_embedding.weight[ids]
        if 0 in own:
            rows = torch.cat([rows[:1], own[0], rows[1 + len(own[0]) :]])
        rows = rows + clip.positional_embedding
        for depth, block in enumerate(clip.transformer.resblocks):
            if depth > 0 and depth in own:
                rows = torch.cat([rows[:1], own[depth], rows[1 + len(own[depth]) :]])
            rows = plain_block(rows, block, causal=True)
        end = ids.tolist().index(int(ids.max()))
        features.append(layer_norm(rows, clip.ln_final)[end] @ clip.text_projection)
    return torch.stack(features)


def plain_block(rows: Tensor, block: Any, causal: bool) -> Tensor:
    """A pre-norm transformer block on (length, width), one head at a time."""
    heads = block.attn.num_heads
    q, k, v = (
        layer_norm(rows, block.ln_1) @ block.attn.in_proj_weight.T + block.attn.in_proj_bias
    ).chunk(3, dim=-1)
    size = q.shape[-1] // heads
    mixed = []
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        scores = q[:, part] @ k[:, part].T / math.sqrt(size)
        if causal:
            later = torch.ones_like(scores, dtype=torch.bool).triu(1)
            scores = scores.masked_fill(later, float("-inf"))
        mixed.append(scores.softmax(dim=-1) @ v[:, part])
    projection = block.attn.out_proj
    rows = rows + torch.cat(mixed, dim=-1) @ projection.weight.T + projection.bias
    mlp = block.mlp
    hidden = layer_norm(rows, block.ln_2) @ mlp.c_fc.weight.T + mlp.c_fc.bias
    gelu = 0.5 * hidden * (1 + torch.erf(hidden / math.sqrt(2)))
    return rows + gelu @ mlp.c_proj.weight.T + mlp.c_proj.bias


def layer_norm(rows: Tensor, norm: nn.LayerNorm) -> Tensor:
    centred = rows - rows.mean(dim=-1, keepdim=True)
    variance = centred.pow(2).mean(dim=-1, keepdim=True)
    return centred / torch.sqrt(variance + norm.eps) * norm.weight + norm.bias
