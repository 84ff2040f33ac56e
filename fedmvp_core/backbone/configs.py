"""Which architecture a name stands for, and which architectures cannot carry prompts."""

import difflib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fedmvp_core.backbone.activation import Activation
from fedmvp_core.errors import ConfigError

TINY = "tiny"
# Pixel statistics, as in open_clip.constants: open_clip is slow to import, so only a load does it.
OPENAI_MEAN = (0.48145466, 0.4578275, 0.40821073)
OPENAI_STD = (0.26862954, 0.26130258, 0.27577711)

_ACTIVATION = re.compile(r"-(\w*(?:elu|relu|swish|tanh)|quick[-_]gelu)$", re.IGNORECASE)

# Options of open_clip's blocks that change the block's inside: prompts at its input would mean
# something else than in the papers, and no public checkpoint with a plain ViT tower uses them.
_BLOCK_OPTIONS = (
    "qk_norm",
    "scaled_cosine_attn",
    "scale_heads",
    "scale_attn_inner",
    "scale_attn",
    "scale_fc",
)


@dataclass(frozen=True)
class ModelConfig:
    """An architecture and its pixel statistics.

    Attributes:
        name: as the user gave it, slashes turned into hyphens.
        architecture: keyword arguments of `open_clip.CLIP`.
        mean, std: per channel, for pixels in [0, 1].
    activation: GELU or quick-GELU and how that is known, once the weights have been found.
        folder: where the config was read, if it is one of open_clip's folders (see `folders`).
    """

    name: str
    architecture: dict[str, Any]
    mean: tuple[float, ...] = OPENAI_MEAN
    std: tuple[float, ...] = OPENAI_STD
    folder: Path | None = None
    activation: Activation | None = None


def open_clip_config(name: str) -> ModelConfig:
    """The config of one of `open_clip.list_models()`; "ViT-B/16" is read as "ViT-B-16".

    Raises:
        ConfigError: the name is unknown (close names are listed), or its towers are unsupported.
    """
    import open_clip

    if _is_transformers_folder(name):
        raise ConfigError(
            f"backbone '{name}' is a folder of the Transformers library: name the architecture and "
            f"give its file as weights, as in backbone=ViT-B-32 pretrained={name}/model.safetensors"
        )
    known = name.replace("/", "-")
    architecture = open_clip.get_model_config(known) if known in open_clip.list_models() else None
    if architecture is None:
        raise ConfigError(
            f"backbone '{name}' is unknown{_no_activation(known)}{_close_names(known)}"
        )
    refuse_unsupported(known, architecture)
    return ModelConfig(known, architecture)


def _is_transformers_folder(name: str) -> bool:
    return (Path(name).expanduser() / "config.json").is_file()


def _no_activation(name: str) -> str:
    """What is wrong with a name that ends with an activation which its architecture lacks."""
    import open_clip

    found = _ACTIVATION.search(name)
    plain = name[: found.start()] if found else ""
    if not found or plain not in [TINY, *open_clip.list_models()]:
        return ""
    quick = f"{plain}-quickgelu"
    others = f"GELU ('{plain}')"
    if quick in open_clip.list_models():
        others += f" or quick-GELU ('{quick}')"
    return f": '{plain}' is to be had with {others} only, not with '{found[1]}'"


def _close_names(name: str) -> str:
    """': did you mean ...?' with supported names first, or where to find the list."""
    import open_clip

    names = [TINY, *open_clip.list_models()]
    by_lower = {known.lower(): known for known in names}
    close = difflib.get_close_matches(name.lower(), list(by_lower), n=5, cutoff=0.6)
    if not close:
        return (
            ": use 'tiny', a ViT of open_clip.list_models() such as 'ViT-B-16', "
            "'hf-hub:ORG/NAME', or a folder with open_clip_config.json."
        )
    return ": did you mean " + ", ".join(f"'{by_lower[known]}'" for known in close) + "?"


def refuse_unsupported(name: str, architecture: dict[str, Any]) -> None:
    """Raise ConfigError, with the reason, for towers that the prompted forward does not cover."""
    reason = (
        _unsupported_model(architecture)
        or _unsupported_image_tower(architecture["vision_cfg"])
        or _unsupported_text_tower(architecture["text_cfg"])
    )
    if reason:
        raise ConfigError(
            f"backbone '{name}' cannot be used: {reason}; prompts need CLIP's plain ViT and text "
            "transformer, as in 'ViT-B-32', 'ViT-B-16', 'ViT-L-14' or 'tiny'."
        )


def _unsupported_model(architecture: dict[str, Any]) -> str:
    if "multimodal_cfg" in architecture:
        return "it is a CoCa model, with a decoder over both towers"
    return ""


def _unsupported_image_tower(vision: dict[str, Any]) -> str:
    if vision.get("timm_model_name"):
        return f"its image tower is timm's '{vision['timm_model_name']}'"
    if isinstance(vision.get("layers"), list | tuple):
        return "its image tower is a ResNet"
    if vision.get("attentional_pool"):
        return "its image tower pools by attention"
    if vision.get("no_ln_pre"):
        return "its image tower has no LayerNorm before the blocks (ln_pre)"
    if vision.get("pool_type", "tok") != "tok":
        return f"its image tower pools by '{vision['pool_type']}', not by the class token"
    for key in ("image_size", "patch_size"):
        if isinstance(vision.get(key), list | tuple) and len(set(vision[key])) > 1:
            return f"its {key} {tuple(vision[key])} is not square"
    return _unsupported_blocks("image", vision)


def _unsupported_text_tower(text: dict[str, Any]) -> str:
    if text.get("hf_model_name"):
        return f"its text tower is Hugging Face's '{text['hf_model_name']}'"
    if text.get("hf_tokenizer_name"):
        return f"it needs the tokenizer '{text['hf_tokenizer_name']}' of another library"
    if text.get("embed_cls") or text.get("no_causal_mask"):
        return "its text tower does not read causally up to the end-of-text token"
    if text.get("pool_type", "argmax") != "argmax":
        return f"its text tower pools by '{text['pool_type']}', not at the end-of-text token"
    return _unsupported_blocks("text", text)


def _unsupported_blocks(tower: str, config: dict[str, Any]) -> str:
    active = [key for key in _BLOCK_OPTIONS if config.get(key)]
    if config.get("block_type") not in (None, "default"):
        active.append(f"block_type={config['block_type']}")
    return f"the blocks of its {tower} tower use {', '.join(active)}" if active else ""
