"""Names of tensors, from what programs have put around them to those of `open_clip.CLIP`."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fedmvp_core.errors import CheckpointError

# torch puts these into names, at any place, for modules that it has wrapped.
_WRAPPERS = ("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.")
# Names of a CLIP or an image tower begin so, or are these.
_ROOTS = ("visual.", "vision_model.", "text_model.", "text.")
_ROOT_NAMES = {"class_embedding", "conv1.weight", "token_embedding.weight", "logit_scale"}
# A CLIP under a prefix, beside other tensors, is found by one of these.
_INSIDE = (".visual.conv1.weight", ".vision_model.embeddings.class_embedding")

_TRANSFORMERS = ("vision_model.", "text_model.")
_TRANSFORMERS_NAMES = {
    "logit_scale": "logit_scale",
    "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
    "text_model.embeddings.position_embedding.weight": "positional_embedding",
    "vision_model.embeddings.class_embedding": "visual.class_embedding",
    "vision_model.embeddings.patch_embedding.weight": "visual.conv1.weight",
    "vision_model.embeddings.position_embedding.weight": "visual.positional_embedding",
}
_TRANSFORMERS_PREFIXES = {
    "text_model.final_layer_norm.": "ln_final.",
    "vision_model.pre_layrnorm.": "visual.ln_pre.",  # their spelling
    "vision_model.post_layernorm.": "visual.ln_post.",
    "text_model.encoder.layers.": "transformer.resblocks.",
    "vision_model.encoder.layers.": "visual.transformer.resblocks.",
}
_TRANSFORMERS_PARTS = {
    ".self_attn.out_proj.": ".attn.out_proj.",
    ".layer_norm1.": ".ln_1.",
    ".layer_norm2.": ".ln_2.",
    ".mlp.fc1.": ".mlp.c_fc.",
    ".mlp.fc2.": ".mlp.c_proj.",
}
_TRANSPOSED = {
    "text_projection.weight": "text_projection",
    "visual_projection.weight": "visual.proj",
}


def without_prefixes(path: Path, state: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """Names as the model has them, and what was taken off, "" when nothing was.

    A prefix is taken off when all names have it and a CLIP's or an image tower's are left.

    Raises:
        CheckpointError: two names become one, or a CLIP lies under a prefix beside other tensors.
    """
    names = {name: _unwrapped(name) for name in state}
    removed = [word for word in _WRAPPERS if any(word in name for name in state)]
    prefix = _common_prefix(names.values())
    removed += [prefix] if prefix else []
    renamed = {new.removeprefix(prefix): state[name] for name, new in names.items()}
    if len(renamed) < len(state):
        raise CheckpointError(
            f"the checkpoint {path} holds tensors whose names differ in {', '.join(_WRAPPERS)} "
            "alone, such as a model and a compiled copy of it: save one of them alone."
        )
    _refuse_mixture(path, renamed)
    if any(name.startswith("text.") for name in renamed):  # open_clip's CustomTextCLIP
        renamed = {name.removeprefix("text."): value for name, value in renamed.items()}
        removed.append("text.")
    return renamed, ", ".join(f"'{word}'" for word in removed)


def _unwrapped(name: str) -> str:
    for word in _WRAPPERS:
        name = name.replace(word, "")
    return name


def _common_prefix(names: Iterable[str]) -> str:
    """ "module.model." of names that all begin so; "" where no CLIP's names are left without it."""
    rest, prefix = list(names), ""
    while rest and not any(map(_is_root, rest)):
        first = rest[0].partition(".")[0] + "."
        if not all(name.startswith(first) for name in rest):
            return ""
        rest, prefix = [name.removeprefix(first) for name in rest], prefix + first
    return prefix


def _is_root(name: str) -> bool:
    return name.startswith(_ROOTS) or name in _ROOT_NAMES


def _refuse_mixture(path: Path, names: Iterable[str]) -> None:
    for name in names:
        inside = next((end for end in _INSIDE if name.endswith(end)), "")
        if inside:
            prefix = name.removesuffix(inside) + "."
            others = [other for other in names if not other.startswith(prefix)]
            shown = ", ".join(f"'{other}'" for other in others[:3])
            raise CheckpointError(
                f"the checkpoint {path} holds a CLIP under the prefix '{prefix}' beside "
                f"{len(others)} other tensors ({shown}): save the tensors of that prefix alone."
            )


def is_transformers(names: Iterable[str]) -> bool:
    """Whether these are the names of a CLIP of the Transformers library."""
    return any(name.startswith(_TRANSFORMERS) for name in names)


def from_transformers(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a Transformers CLIPModel, or of one of its towers, as open_clip has them.

    Names that it does not know stay, so that they are named where they do not fit.
    """
    renamed: dict[str, Tensor] = {}
    for name, value in state.items():
        if name in _TRANSPOSED:
            renamed[_TRANSPOSED[name]] = value.T.contiguous()
        elif ".self_attn.k_proj." not in name and ".self_attn.v_proj." not in name:
            renamed |= _renamed(name, value, state)
    return renamed


def _renamed(name: str, value: Tensor, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    for before, after in _TRANSFORMERS_PREFIXES.items():
        if name.startswith(before):
            new = after + name.removeprefix(before)
            break
    else:
        return {_TRANSFORMERS_NAMES.get(name, name): value}
    for before, after in _TRANSFORMERS_PARTS.items():
        new = new.replace(before, after)
    if ".self_attn.q_proj." in name:  # open_clip keeps the three in one tensor
        parts = [state.get(name.replace(".q_proj.", f".{part}_proj.")) for part in "kv"]
        new = new.replace(".self_attn.q_proj.", ".attn.in_proj_")
        return {new: torch.cat([value, *(part for part in parts if part is not None)])}
    return {new: value}
