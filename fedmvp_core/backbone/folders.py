"""Backbones in open_clip's own folders: `open_clip_config.json` with the weights beside it.

So the robust CLIPs of FARE and TeCoA are published on the Hugging Face hub (chs20/...), and so
open_clip saves its models. The folder brings its architecture, pixel statistics and weights.
"""

import dataclasses
import inspect
from pathlib import Path
from typing import Any

from fedmvp_core.backbone.configs import (
    OPENAI_MEAN,
    OPENAI_STD,
    ModelConfig,
    refuse_unsupported,
)
from fedmvp_core.errors import CheckpointError, ConfigError
from fedmvp_core.user_files import read_json

HUB_PREFIX = "hf-hub:"
LOCAL_PREFIX = "local-dir:"
CONFIG_FILE = "open_clip_config.json"
WEIGHT_FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")


def is_folder(name: str) -> bool:
    """Whether a backbone's name stands for a folder: by prefix, or because the config exists."""
    if name.startswith((HUB_PREFIX, LOCAL_PREFIX)):
        return True
    return (Path(name).expanduser() / CONFIG_FILE).is_file()


def folder_config(name: str) -> ModelConfig:
    """The config of "hf-hub:ORG/NAME", "local-dir:PATH" or PATH.

    GELU unless the config says `quick_gelu`, OpenAI's pixel statistics unless it has its own.

    Raises:
        CheckpointError: the config is missing, cannot be downloaded, or is damaged.
        ConfigError: its towers are unsupported.
    """
    if name.startswith(HUB_PREFIX):
        path = _download(name, CONFIG_FILE)
    else:
        path = Path(name.removeprefix(LOCAL_PREFIX)).expanduser() / CONFIG_FILE
    try:
        content = read_json(path)
        architecture = dict(content["model_cfg"])
        preprocess = {key: v for key, v in content.get("preprocess_cfg", {}).items() if v}
        mean = tuple(map(float, preprocess.get("mean", OPENAI_MEAN)))
        std = tuple(map(float, preprocess.get("std", OPENAI_STD)))
        towers = [dict(architecture[tower]) for tower in ("vision_cfg", "text_cfg")]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"the config {path} of the backbone '{name}' cannot be used "
            f"({type(error).__name__}: {error})."
        ) from error
    refuse_unsupported(name, architecture)
    _refuse_unknown(name, architecture, *towers)
    return ModelConfig(name, architecture, mean, std, path.parent)


def folder_weights(config: ModelConfig) -> Path:
    """The file with the weights of a config that `folder_config` returned.

    Raises:
        CheckpointError: it is missing or cannot be downloaded.
    """
    if config.name.startswith(HUB_PREFIX):
        return _download(config.name, None)
    folder = config.folder or Path()
    for name in WEIGHT_FILES:
        if (folder / name).is_file():
            return folder / name
    raise CheckpointError(
        f"the folder {folder} holds no weights: neither {WEIGHT_FILES[0]} nor {WEIGHT_FILES[1]}."
    )


def _refuse_unknown(
    name: str, architecture: dict[str, Any], vision: dict[str, Any], text: dict[str, Any]
) -> None:
    """Options that `open_clip.CLIP` lacks belong to other classes of models, or newer versions."""
    import open_clip

    known = set(inspect.signature(open_clip.CLIP).parameters)
    excess = [
        *(set(architecture) - known),
        *(set(vision) - {field.name for field in dataclasses.fields(open_clip.CLIPVisionCfg)}),
        *(set(text) - {field.name for field in dataclasses.fields(open_clip.CLIPTextCfg)}),
    ]
    if excess:
        raise ConfigError(
            f"backbone '{name}' cannot be used: its config has options that a plain CLIP of "
            f"open_clip {open_clip.__version__} lacks: {', '.join(sorted(excess))}."
        )


def _download(name: str, filename: str | None) -> Path:
    """A file of a hub repository, None for its weights; the hub's cache is looked at first."""
    from open_clip.pretrained import download_pretrained_from_hf

    repository = name.removeprefix(HUB_PREFIX)
    try:
        return Path(download_pretrained_from_hf(repository, filename=filename))
    except Exception as error:  # whatever the network stack raises
        raise CheckpointError(
            f"{filename or 'the weights'} of the backbone '{name}' could not be downloaded "
            f"({type(error).__name__}: {str(error).strip().partition(chr(10))[0]}); without a "
            f"network, copy {CONFIG_FILE} and {WEIGHT_FILES[0]} into a folder and name the folder."
        ) from error
