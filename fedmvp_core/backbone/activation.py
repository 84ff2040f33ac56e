"""GELU or quick-GELU: which activation weights were trained with, and how that is known.

OpenAI trained its CLIPs with quick-GELU, x * sigmoid(1.702 x), nearly everybody else with GELU. The
tensors are named and shaped alike, and with the wrong one features are off by some hundredths
without an error. Some files tell; of the others the backbone's name decides, and that is said.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fedmvp_core.errors import CheckpointError, ConfigError
from fedmvp_core.user_files import read_json

GELU = "GELU"
QUICK_GELU = "quick-GELU"
_QUICK_NAME = "-quickgelu"  # at the end of open_clip's names of architectures that have it
_TRANSFORMERS_CONFIG = "config.json"
_TRANSFORMERS_WORDS = {"gelu": GELU, "quick_gelu": QUICK_GELU}
_OPENAI_LOGIT_SCALE = 100.0
# In OpenAI's files these are float16, and the others float32.
_MATRICES = ("visual.proj", "text_projection", "visual.conv1.weight")
_OTHERS = ("positional_embedding", "visual.positional_embedding", "token_embedding.weight")


@dataclass(frozen=True)
class Activation:
    """The activation of a backbone. why: how it is known. doubt: what to do if it is wrong."""

    name: str
    why: str
    doubt: str = ""

    def __str__(self) -> str:
        return f"{self.name}, {self.why}" + (f"; {self.doubt}" if self.doubt else "")


def told_by_extras() -> Activation:
    """Of a file with the entries that OpenAI's have beside the weights."""
    return Activation(QUICK_GELU, "as the file is in OpenAI's form")


def told_by_code(code: str | None) -> Activation | None:
    """Of a TorchScript archive, from its code; None of another file."""
    if code is None:
        return None
    if "1.702" in code or "QuickGELU" in code:
        return Activation(QUICK_GELU, "as the archive's code has it")
    if "gelu" in code.lower():
        return Activation(GELU, "as the archive's code has it")
    return Activation(QUICK_GELU, "as the file is an archive, as OpenAI's are")


def told_by_transformers(path: Path) -> Activation | None:
    """Of a Transformers file, from the config.json beside it; None without one.

    Raises:
        CheckpointError: the config cannot be read, or names an activation that open_clip's CLIP
            cannot have.
    """
    config = path.parent / _TRANSFORMERS_CONFIG
    if not config.is_file():
        return None
    try:
        content = read_json(config)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"the config {config} of {path} cannot be read: {error}.") from error
    if not isinstance(content, dict):
        kind = type(content).__name__
        raise CheckpointError(f"the config {config} of {path} holds a {kind}, not an object.")
    parts = [content.get(key) for key in ("text_config", "vision_config")]
    towers = [part for part in parts if isinstance(part, dict)] or [content]
    # CLIPConfig's own default is quick_gelu, and saved configs may leave defaults out.
    words = {str(tower.get("hidden_act", "quick_gelu")) for tower in towers}
    if len(words) > 1 or not words <= _TRANSFORMERS_WORDS.keys():
        raise CheckpointError(
            f"the config {config} has the hidden_act {' and '.join(sorted(words))}; allowed: gelu "
            "or quick_gelu, the same for both towers."
        )
    return Activation(_TRANSFORMERS_WORDS[words.pop()], f"as {config} says")


def of_architecture(name: str, architecture: Mapping[str, Any], folder: Path | None) -> Activation:
    """What an architecture has by itself.

    Raises:
        ConfigError: its `quick_gelu` is neither true nor false.
    """
    quick = architecture.get("quick_gelu", False)
    if not isinstance(quick, bool):
        raise ConfigError(
            f"backbone '{name}' cannot be used: its config has quick_gelu {quick!r}; allowed: true "
            "or false."
        )
    why = "as the folder's config says" if folder else f"by the backbone's name '{name}'"
    return Activation(QUICK_GELU if quick else GELU, why)


def of_file(name: str, named: Activation, path: Path, tensors: Mapping[str, Tensor]) -> Activation:
    """The activation for a whole CLIP from a file that does not tell it.

    A file of OpenAI's or open_clip's own is known by its SHA-256, which is in its address. Of any
    other one the name decides; where published weights with quick-GELU go by the name too, that is
    a doubt.

    Args:
        named: the activation by the name.
    """
    plain = name.removesuffix(_QUICK_NAME)
    import open_clip  # slow to import

    tags = open_clip.list_pretrained_tags_by_model(plain)
    quick = [tag for tag in tags if open_clip.get_pretrained_cfg(plain, tag).get("quick_gelu")]
    if not quick:
        return named
    tag = _published_tag(plain, tags, path)
    if tag:
        why = f"as the file is that of the tag '{tag}' by its SHA-256"
        return Activation(QUICK_GELU if tag in quick else GELU, why)
    if named.name == QUICK_GELU:
        doubt = f"for weights that were trained with GELU take backbone={plain}"
    else:
        shown = ", ".join(f"'{tag}'" for tag in quick[:3]) + (", ..." if len(quick) > 3 else "")
        doubt = (
            f"for weights that were trained with quick-GELU ({shown} and what was fine-tuned from "
            f"them) take backbone={plain}{_QUICK_NAME}"
        )
        if _as_openai(tensors):
            doubt += "; as in OpenAI's, these have a scale of 100 and matrices exact in float16"
    return Activation(named.name, f"{named.why}, since {path.name} does not tell it", doubt)


def _published_tag(name: str, tags: list[str], path: Path) -> str:
    """The tag whose file this is, by the hash that its address holds; "" if it is none's."""
    from open_clip.pretrained import get_pretrained_url

    hashes = {tag: _hash_in(get_pretrained_url(name, tag)) for tag in tags}
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    return next((tag for tag, known in hashes.items() if known and found.startswith(known)), "")


def _hash_in(url: str) -> str:
    """OpenAI's addresses hold the whole hash as a folder, open_clip's its start in the name."""
    if "openaipublic" in url:
        return url.split("/")[-2]
    if "mlfoundations" in url:
        return url.rpartition("-")[2].partition(".")[0]
    return ""


def _as_openai(tensors: Mapping[str, Tensor]) -> bool:
    """Whether matrices, and not the embeddings, are exact in float16, and the scale is 100.

    That is how OpenAI's weights look when they were saved anew; it is no proof.
    """
    scale = tensors.get("logit_scale")
    if scale is None or abs(float(scale.exp()) - _OPENAI_LOGIT_SCALE) > 0.01:
        return False
    matrices = all(_exact(tensors[name]) for name in _MATRICES if name in tensors)
    return matrices and not all(_exact(tensors[name]) for name in _OTHERS if name in tensors)


def _exact(tensor: Tensor) -> bool:
    return torch.equal(tensor.half().float(), tensor)
