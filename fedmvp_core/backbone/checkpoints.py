"""Weights of a whole CLIP: from one file, or with another file's image tower; checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from fedmvp_core.backbone.state_dicts import read_state_dict
from fedmvp_core.errors import CheckpointError


@dataclass(frozen=True)
class Checkpoint:
    """float32 tensors of a whole CLIP model, and whether the file is in OpenAI's form."""

    path: Path
    tensors: dict[str, Tensor]
    from_openai: bool


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a whole CLIP: OpenAI's (archive or state dict), open_clip's, or safetensors.

    Raises:
        CheckpointError: the file is missing, damaged, no state dict, or an image tower only.
    """
    state = read_state_dict(path)
    if state.image_tower:
        raise CheckpointError(
            f"the checkpoint {path} holds an image tower only; say whose text tower goes with it, "
            f"as in pretrained = 'openai+{path}' (before the plus sign a tag or the path of a "
            "whole CLIP: the one that the tower was fine-tuned from)."
        )
    return Checkpoint(path, state.tensors, state.from_openai)


def with_image_tower(base: Checkpoint, path: Path) -> Checkpoint:
    """The text tower and logit scale of `base` with the image tower of another file.

    Such files are what adversarial fine-tuning of the image encoder leaves (TeCoA, Mao et al.,
    ICLR 2023; FARE, Schlarmann et al., ICML 2024).

    Raises:
        CheckpointError: the file cannot be read, holds a whole CLIP, or another image tower; the
            first tensor that does not fit is named.
    """
    state = read_state_dict(path)
    if not state.image_tower:
        raise CheckpointError(
            f"the checkpoint {path} holds more than an image tower: give it alone, without "
            "another one and a plus sign."
        )
    own = {name: value for name, value in base.tensors.items() if name.startswith("visual.")}
    misfit = _first_misfit(own, state.tensors)
    if misfit:
        raise CheckpointError(f"the image tower {path} does not fit {base.path}: {misfit}.")
    return Checkpoint(base.path, base.tensors | state.tensors, base.from_openai)


def save_image_tower(clip: Any, path: Path) -> None:
    """Write the image tower of an `open_clip.CLIP` for `with_image_tower`: safetensors, float16."""
    state = clip.visual.state_dict()
    tensors = {f"visual.{name}": value.half().cpu().contiguous() for name, value in state.items()}
    save_file(tensors, path)


def check_fits(checkpoint: Checkpoint, model: torch.nn.Module, name: str) -> None:
    """Compare names and shapes with the model's own, in the model's order.

    Raises:
        CheckpointError: naming the first tensor that is missing, of another shape, or too many.
    """
    misfit = _first_misfit(model.state_dict(), checkpoint.tensors)
    if misfit:
        raise CheckpointError(
            f"the checkpoint {checkpoint.path} does not fit the backbone '{name}': {misfit}."
        )


def _first_misfit(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> str:
    for name, tensor in expected.items():
        if name not in found:
            return f"the tensor '{name}' of shape {tuple(tensor.shape)} is missing"
        if found[name].shape != tensor.shape:
            return f"'{name}' has shape {tuple(found[name].shape)}, expected {tuple(tensor.shape)}"
    for name in found:
        if name not in expected:
            return f"it holds a tensor '{name}' that this architecture lacks"
    return ""
