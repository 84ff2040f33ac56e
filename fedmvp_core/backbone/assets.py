"""The tiny CLIP that the package `fedmvp_assets` carries: config, merges and weights.

`fedmvp_assets` holds data only, and `manifest.json` in it gives each file's checksum.
"""

import hashlib
import json
from importlib import resources
from pathlib import Path

from fedmvp_core.backbone.configs import TINY, ModelConfig, refuse_unsupported
from fedmvp_core.errors import CheckpointError

CONFIG_FILE = "tiny_clip/config.json"
MERGES_FILE = "tiny_clip/merges.txt.gz"

_WHOLE = "tiny_clip/model.safetensors"
# What `pretrained` may name for the tiny backbone: a whole CLIP, and an image tower that goes into
# it. "embedded-robust" was fine-tuned against attacks and shares the text tower.
EMBEDDED_WEIGHTS = {
    "embedded": (_WHOLE,),
    "embedded-robust": (_WHOLE, "tiny_clip/robust.safetensors"),
}


def asset_root() -> Path:
    """The folder of the installed package `fedmvp_assets`.

    Raises:
        CheckpointError: the package is not installed.
    """
    try:
        # Wheels are unpacked when installed, so a package's files lie in a real folder.
        return Path(str(resources.files("fedmvp_assets")))
    except ModuleNotFoundError as error:
        raise CheckpointError(
            "the package 'fedmvp_assets', which holds the tiny backbone, is not installed: "
            "install the whole fedmvp distribution."
        ) from error


def verified_asset(relative: str) -> Path:
    """Path of an asset whose bytes match the manifest.

    Raises:
        CheckpointError: missing from the folder or the manifest, or damaged (both hashes named).
    """
    root = asset_root()
    path = root / relative
    try:
        expected = json.loads((root / "manifest.json").read_text("utf-8"))[relative]["sha256"]
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{path} cannot be checked against {root / 'manifest.json'} "
            f"({type(error).__name__}: {error}): install fedmvp again."
        ) from error
    if found != expected:
        raise CheckpointError(
            f"{path} is damaged: expected SHA-256 {expected}, found {found}; install fedmvp again."
        )
    return path


def tiny_config() -> ModelConfig:
    """The tiny backbone's architecture and pixel statistics, from its verified config."""
    config = json.loads(verified_asset(CONFIG_FILE).read_text("utf-8"))
    preprocess = config.pop("preprocess")
    refuse_unsupported(TINY, config)
    return ModelConfig(TINY, config, tuple(preprocess["mean"]), tuple(preprocess["std"]))
