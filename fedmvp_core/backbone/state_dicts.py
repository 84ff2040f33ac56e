"""The tensors of one file under a whole CLIP's names, in every form in which they are published."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from fedmvp_core.backbone.activation import (
    Activation,
    told_by_code,
    told_by_extras,
    told_by_transformers,
)
from fedmvp_core.backbone.tensor_names import from_transformers, is_transformers, without_prefixes
from fedmvp_core.backbone.weight_files import read_weight_file
from fedmvp_core.errors import CheckpointError

_log = logging.getLogger(__name__)

# Entries that OpenAI's checkpoints hold beside the weights. open_clip never writes them.
OPENAI_EXTRAS = ("input_resolution", "context_length", "vocab_size")

# Adversarial fine-tuning (TeCoA, APT) keeps the image tower here; in the same files "state_dict"
# belongs to a pixel prompter, whose tensors have the names below, or to none at all.
_TOWER_ENTRY = "vision_encoder_state_dict"
_PROMPTER_ENTRY = "add_prompter"
_PROMPTER_TENSORS = {"pad_up", "pad_down", "pad_left", "pad_right", "patch", "prompt"}
# Where training programs keep the weights, the first that is there.
_ENTRIES = (_TOWER_ENTRY, "state_dict", "model_state_dict", "model", "state_dict_ema", "model_ema")

_TOWER_PREFIX = "visual."


@dataclass(frozen=True)
class StateDict:
    """float32 tensors of one file.

    Attributes:
        path: where they are from.
        tensors: under the names of a whole CLIP, an image tower's with its prefix "visual.".
        told: the activation, where the file tells it.
        image_tower: whether there is nothing but an image tower.
        notes: what was changed or left aside while reading, one sentence each.
    """

    path: Path
    tensors: dict[str, Tensor]
    told: Activation | None
    image_tower: bool
    notes: tuple[str, ...] = ()


def read_state_dict(path: Path) -> StateDict:
    """Read OpenAI's archives and state dicts, open_clip's, Transformers', and image towers alone.

    Tensors that are float32 on disk are memory-mapped where the format allows it, so that several
    worker processes share one copy; others are converted. Pickles are read without running code.

    Raises:
        CheckpointError: the file is missing, damaged, no state dict, or only a pixel prompter's;
            or a tensor holds what no weight can be.
    """
    content, code = read_weight_file(path)
    inner, declared, notes = _entry(path, content)
    state, removed = without_prefixes(path, {str(name): value for name, value in inner.items()})
    if removed:
        notes.append(f"{removed} was taken off the names of the tensors of {path}")
    extras = [key for key in OPENAI_EXTRAS if state.pop(key, None) is not None]
    transformers = is_transformers(state)
    if transformers:
        image_tower = not any(name.startswith("text_model.") for name in state)
        # Positions 0, 1, 2, ..., which older versions saved, are no weights.
        weights = {name: v for name, v in state.items() if not name.endswith(".position_ids")}
        tensors = from_transformers(_floats(path, weights))
        told = told_by_transformers(path)
    else:
        named, image_tower = _whole_names(state, declared)
        tensors = _floats(path, named)
        told = told_by_extras() if extras else told_by_code(code)
    for note in notes:
        _log.info("%s", note)
    return StateDict(path, tensors, told, image_tower, tuple(notes))


def _entry(path: Path, content: Any) -> tuple[Mapping[Any, Any], bool, list[str]]:
    """The mapping inside what was read, whether it is declared a tower's, and what was left."""
    if not isinstance(content, Mapping):
        kind = type(content).__name__
        raise CheckpointError(f"the checkpoint {path} holds no state dict, but a {kind}.")
    inner, declared, notes = content, False, []
    while present := [key for key in _ENTRIES if isinstance(inner.get(key), Mapping)]:
        declared = declared or _TOWER_ENTRY in present
        if len(present) > 1 and not declared:
            left = ", ".join(f"'{key}'" for key in present[1:])
            notes.append(f"of {path} the entry '{present[0]}' is used; it also holds {left}")
        inner = inner[present[0]]
    _refuse_prompter(path, content, inner)
    if not inner:
        raise CheckpointError(f"the checkpoint {path} holds no state dict.")
    return inner, declared, notes


def _whole_names(state: dict[str, Any], declared: bool) -> tuple[dict[str, Any], bool]:
    """The tensors under a whole CLIP's names, and whether they are an image tower's alone."""
    tower = all(name.startswith(_TOWER_PREFIX) for name in state)
    # A whole CLIP has these under "visual." only, and other names beside them.
    root = "class_embedding" in state or "conv1.weight" in state
    if declared or root or tower:
        return {name if tower else _TOWER_PREFIX + name: v for name, v in state.items()}, True
    return state, False


def _refuse_prompter(path: Path, content: Mapping[Any, Any], inner: Any) -> None:
    names = {str(name).removeprefix("module.") for name in inner}
    if names <= _PROMPTER_TENSORS and (names or _PROMPTER_ENTRY in content):
        raise CheckpointError(
            f"the checkpoint {path} holds a pixel prompter only, no CLIP weights: files of "
            f"adversarial fine-tuning keep those under '{_TOWER_ENTRY}', which this one lacks."
        )


def _floats(path: Path, state: Mapping[str, Any]) -> dict[str, Tensor]:
    return {name: _float32(path, name, value) for name, value in state.items()}


def _float32(path: Path, name: str, value: Any) -> Tensor:
    if not isinstance(value, Tensor):
        raise CheckpointError(
            f"the checkpoint {path} is no plain state dict: '{name}' is a {type(value).__name__}."
        )
    if not value.is_floating_point():
        raise CheckpointError(
            f"the checkpoint {path} cannot be used: its tensor '{name}' is {value.dtype}, weights "
            "are floats; quantised ones are not read."
        )
    floats = value.detach().float()
    # One pass: a sum of finite weights is finite, and nothing hides in it.
    if not floats.sum().isfinite() and not (good := floats.isfinite()).all():
        bad = int((~good).sum())
        raise CheckpointError(
            f"the checkpoint {path} cannot be used: its tensor '{name}' holds {bad:,} of "
            f"{value.numel():,} numbers that are NaN or infinite."
        )
    return floats
