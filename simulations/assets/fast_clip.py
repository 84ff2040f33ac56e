"""The tiny CLIP for training: open_clip's parameters, a leaner forward.

The weights live in an ordinary `open_clip.CLIP`, so a checkpoint is an open_clip checkpoint. The
forward is written out here because training wants two things that open_clip's modules cannot do:
drop chosen patches before the blocks (FLIP), and texts shorter than the context.
"""

from __future__ import annotations

import gzip
import json
from typing import Any

import open_clip
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from simulations.assets.manifest import ASSETS

NUM_MERGES = 4096


def load_config() -> dict[str, Any]:
    """The open_clip model config that is shipped beside the weights."""
    config: dict[str, Any] = json.loads((ASSETS / "tiny_clip/config.json").read_text())
    return config


def build_model(config: dict[str, Any]) -> open_clip.CLIP:
    """An open_clip model with fresh weights; "preprocess" in the config is not open_clip's."""
    return open_clip.CLIP(**{key: config[key] for key in ("embed_dim", "vision_cfg", "text_cfg")})


def write_merges() -> None:
    """OpenAI's header line and its first 4,096 merges."""
    with gzip.open(open_clip.tokenizer.default_bpe()) as file:
        lines = file.read().decode().split("\n")
    text = "\n".join(lines[: NUM_MERGES + 1])
    path = ASSETS / "tiny_clip/merges.txt.gz"
    path.write_bytes(gzip.compress(text.encode(), mtime=0))


def build_tokenizer(context_length: int = 32) -> open_clip.SimpleTokenizer:
    """open_clip's tokenizer on the short merge list: 4,610 tokens."""
    path = str(ASSETS / "tiny_clip/merges.txt.gz")
    return open_clip.SimpleTokenizer(bpe_path=path, context_length=context_length)


def block(layer: nn.Module, x: Tensor, causal: bool) -> Tensor:
    """One pre-norm residual block. x: (batch, length, width)."""
    batch, length, width = x.shape
    attention: Any = layer.attn
    mlp: Any = layer.mlp
    normed: Tensor = layer.ln_1(x)  # type: ignore[operator]
    qkv = F.linear(normed, attention.in_proj_weight, attention.in_proj_bias)
    heads = qkv.view(batch, length, 3, attention.num_heads, -1).permute(2, 0, 3, 1, 4)
    mixed = F.scaled_dot_product_attention(heads[0], heads[1], heads[2], is_causal=causal)
    x = x + attention.out_proj(mixed.transpose(1, 2).reshape(batch, length, width))
    hidden = F.gelu(mlp.c_fc(layer.ln_2(x)))  # type: ignore[operator]
    return x + mlp.c_proj(hidden)  # type: ignore[no-any-return]


def patchify(images: Tensor, patch: int) -> Tensor:
    """images: (batch, 3, side, side) -> (batch, patches, 3 * patch * patch), in conv1's order."""
    batch, channels, side, _ = images.shape
    grid = side // patch
    x = images.view(batch, channels, grid, patch, grid, patch).permute(0, 2, 4, 1, 3, 5)
    return x.reshape(batch, grid * grid, channels * patch * patch)


def encode_patches(model: Any, patches: Tensor, keep: Tensor | None) -> Tensor:
    """Unit image features, (batch, embed).

    patches: (batch, patches, 3 * patch * patch), normalised. keep: (batch, kept) indices of the
    patches that are encoded, or None for all of them.
    """
    visual = model.visual
    positions = visual.positional_embedding[1:].expand(len(patches), -1, -1)
    if keep is not None:
        patches = patches.gather(1, keep[..., None].expand(-1, -1, patches.shape[-1]))
        positions = positions.gather(1, keep[..., None].expand(-1, -1, positions.shape[-1]))
    x = F.linear(patches, visual.conv1.weight.flatten(1)) + positions
    cls = (visual.class_embedding + visual.positional_embedding[0]).expand(len(x), 1, -1)
    x = visual.ln_pre(torch.cat([cls.to(x.dtype), x], dim=1))
    for layer in visual.transformer.resblocks:
        x = block(layer, x, causal=False)
    return F.normalize((visual.ln_post(x[:, 0]) @ visual.proj).float(), dim=-1)


def encode_tokens(model: Any, tokens: Tensor) -> Tensor:
    """Unit text features, (batch, embed). tokens: (batch, length <= context_length)."""
    x = model.token_embedding(tokens) + model.positional_embedding[: tokens.shape[1]]
    for layer in model.transformer.resblocks:
        x = block(layer, x, causal=True)
    last = x[torch.arange(len(x)), tokens.argmax(dim=-1)]  # the end token has the largest id
    return F.normalize((model.ln_final(last) @ model.text_projection).float(), dim=-1)
