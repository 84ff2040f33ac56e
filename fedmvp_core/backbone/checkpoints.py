"""Reading CLIP checkpoints from disk, in every form they are published in, and checking them."""

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


@dataclass(frozen=True)
class Checkpoint:
    """float32 tensors of a whole CLIP model, and whether the file is in OpenAI's form."""

    path: Path
    tensors: dict[str, Tensor]
    from_openai: bool


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint: OpenAI's (archive or state dict), open_clip's, or safetensors.

    Tensors that are float32 on disk are memory-mapped where the format allows it, so that several
    worker processes share one copy; others are converted.

    Raises:
        CheckpointError: the file is missing, damaged, or no state dict.
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
    tensors = _state_dict(path, content)
    extras = [key for key in OPENAI_EXTRAS if tensors.pop(key, None) is not None]
    floats = {name: _float32(path, name, value) for name, value in tensors.items()}
    return Checkpoint(path, floats, from_openai=archive or bool(extras))


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


def _state_dict(path: Path, content: Any) -> dict[str, Any]:
    """The mapping of names to tensors inside what was read, without a `module.` prefix."""
    if isinstance(content, Mapping) and "vision_encoder_state_dict" in content:
        # TeCoA's files: their "state_dict" belongs to a pixel prompt, not to CLIP.
        raise CheckpointError(
            f"the checkpoint {path} holds an image tower only (vision_encoder_state_dict); "
            "a whole CLIP model is needed."
        )
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not content:
        raise CheckpointError(f"the checkpoint {path} holds no state dict.")
    names = [str(name) for name in content]
    prefix = "module." if all(name.startswith("module.") for name in names) else ""
    return {name.removeprefix(prefix): content[name] for name in names}


def _float32(path: Path, name: str, value: Any) -> Tensor:
    if not isinstance(value, Tensor):
        raise CheckpointError(
            f"the checkpoint {path} is no plain state dict: '{name}' is a {type(value).__name__}."
        )
    return value.detach().float()


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
