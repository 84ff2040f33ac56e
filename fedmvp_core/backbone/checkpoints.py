"""Weights of a whole CLIP: from one file, or with another file's image tower; checked."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from fedmvp_core.backbone.activation import Activation
from fedmvp_core.backbone.state_dicts import read_state_dict
from fedmvp_core.errors import CheckpointError


@dataclass(frozen=True)
class Checkpoint:
    """float32 tensors of a whole CLIP model, the activation where the file tells it, and notes.

    notes: what was changed or left aside while reading, one sentence each.
    """

    path: Path
    tensors: dict[str, Tensor]
    told: Activation | None
    notes: tuple[str, ...] = ()


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
    return Checkpoint(path, state.tensors, state.told, state.notes)


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
    tensors, notes = base.tensors | state.tensors, base.notes + state.notes
    return Checkpoint(base.path, tensors, base.told, notes)


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
            shapes = f"has shape {tuple(found[name].shape)}, expected {tuple(tensor.shape)}"
            return f"'{name}' {shapes}{_other_measures(expected, found)}"
    for name in found:
        if name not in expected:
            return f"it holds a tensor '{name}' that this architecture lacks"
    return ""


def _other_measures(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> str:
    """What a file was made for and the backbone is not: patches, pictures, sentences, words."""
    own, others = _measures(expected), _measures(found)
    differ = [
        f"{what.format(others[what])}, not {own[what]}"
        for what in own
        if what in others and others[what] != own[what]
    ]
    return f" (it was made with {'; '.join(differ)})" if differ else ""


def _measures(tensors: Mapping[str, Tensor]) -> dict[str, int]:
    measures = {}
    patches, places = tensors.get("visual.conv1.weight"), tensors.get("visual.positional_embedding")
    if patches is not None and patches.ndim == 4:
        measures["patches of {} pixels"] = patches.shape[-1]
        if places is not None and len(places) > 1:
            measures["pictures of {} pixels"] = math.isqrt(len(places) - 1) * patches.shape[-1]
    for what, name in (
        ("a context of {} tokens", "positional_embedding"),
        ("a vocabulary of {} words", "token_embedding.weight"),
    ):
        if name in tensors and tensors[name].ndim == 2:
            measures[what] = len(tensors[name])
    return measures
