"""Reading the tensors of one file, in every form in which CLIP's weights are published."""

import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from fedmvp_core.errors import CheckpointError

# Entries that OpenAI's checkpoints hold beside the weights. open_clip never writes them.
OPENAI_EXTRAS = ("input_resolution", "context_length", "vocab_size")

# Adversarial fine-tuning (TeCoA, APT) keeps the image tower here; in the same files "state_dict"
# belongs to a pixel prompter, whose tensors have the names below, or to none at all.
_TOWER_ENTRY = "vision_encoder_state_dict"
_PROMPTER_ENTRY = "add_prompter"
_PROMPTER_TENSORS = {"pad_up", "pad_down", "pad_left", "pad_right", "patch", "prompt"}

_TOWER_PREFIX = "visual."


@dataclass(frozen=True)
class StateDict:
    """float32 tensors of one file.

    Attributes:
        path: where they are from.
        tensors: under the names of a whole CLIP, an image tower's with its prefix "visual.".
        from_openai: whether the file is in the form in which OpenAI publishes CLIP.
        image_tower: whether there is nothing but an image tower.
    """

    path: Path
    tensors: dict[str, Tensor]
    from_openai: bool
    image_tower: bool


def read_state_dict(path: Path) -> StateDict:
    """Read OpenAI's archives and state dicts, open_clip's, safetensors, and image towers alone.

    Tensors that are float32 on disk are memory-mapped where the format allows it, so that several
    worker processes share one copy; others are converted. Pickles are read without running code.

    Raises:
        CheckpointError: the file is missing, damaged, no state dict, or only a pixel prompter's.
    """
    if not path.is_file():
        raise CheckpointError(f"the checkpoint {path} does not exist or is no file.")
    try:
        content, archive = _read(path)
    except Exception as error:  # a damaged pickle can raise anything at all
        raise CheckpointError(
            f"the checkpoint {path} cannot be read, it may be cut short or damaged "
            f"({type(error).__name__}: {str(error).strip().partition(chr(10))[0]})."
        ) from error
    tensors, image_tower = _unpack(path, content)
    extras = [key for key in OPENAI_EXTRAS if tensors.pop(key, None) is not None]
    floats = {name: _float32(path, name, value) for name, value in tensors.items()}
    return StateDict(path, floats, archive or bool(extras), image_tower)


def _read(path: Path) -> tuple[Any, bool]:
    """The file's content, and whether it is a TorchScript archive."""
    if path.suffix == ".safetensors":
        return load_file(path), False
    if not zipfile.is_zipfile(path):  # torch < 1.6 wrote bare pickles, which cannot be mapped
        return torch.load(path, map_location="cpu", weights_only=True), False
    with zipfile.ZipFile(path) as file:
        archive = any(name.endswith("/constants.pkl") for name in file.namelist())
    if archive:
        with warnings.catch_warnings():  # torch.jit is deprecated, OpenAI's files are not
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", FutureWarning)
            load: Any = torch.jit.load
            return load(str(path), map_location="cpu").state_dict(), True
    return torch.load(path, map_location="cpu", weights_only=True, mmap=True), False


def _unpack(path: Path, content: Any) -> tuple[dict[str, Any], bool]:
    """The mapping inside what was read, under a whole CLIP's names; whether an image tower only."""
    inner, declared = content, False
    if isinstance(content, Mapping):
        declared = isinstance(content.get(_TOWER_ENTRY), Mapping)
        for key in (_TOWER_ENTRY, "state_dict"):
            if isinstance(content.get(key), Mapping):
                inner = content[key]
                break
        _refuse_prompter(path, content, inner)
    if not isinstance(inner, Mapping) or not inner:
        raise CheckpointError(f"the checkpoint {path} holds no state dict.")
    state = _without_prefix({str(name): value for name, value in inner.items()}, "module.")
    bare = _without_prefix(state, _TOWER_PREFIX)
    # A whole CLIP has these under "visual." only, and other names beside them.
    root = "class_embedding" in bare or "conv1.weight" in bare
    if declared or root or bare is not state:
        return {_TOWER_PREFIX + name: value for name, value in bare.items()}, True
    return state, False


def _without_prefix(state: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Names without a prefix that all of them have."""
    if not all(name.startswith(prefix) for name in state):
        return state
    return {name.removeprefix(prefix): value for name, value in state.items()}


def _refuse_prompter(path: Path, content: Mapping[Any, Any], inner: Any) -> None:
    names = {str(name).removeprefix("module.") for name in inner}
    if names <= _PROMPTER_TENSORS and (names or _PROMPTER_ENTRY in content):
        raise CheckpointError(
            f"the checkpoint {path} holds a pixel prompter only, no CLIP weights: files of "
            f"adversarial fine-tuning keep those under '{_TOWER_ENTRY}', which this one lacks."
        )


def _float32(path: Path, name: str, value: Any) -> Tensor:
    if not isinstance(value, Tensor):
        raise CheckpointError(
            f"the checkpoint {path} is no plain state dict: '{name}' is a {type(value).__name__}."
        )
    return value.detach().float()
