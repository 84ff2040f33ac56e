"""Which weights `pretrained` stands for."""

import difflib
from dataclasses import replace
from pathlib import Path
from typing import Any

from fedmvp_core.backbone.activation import QUICK_GELU, Activation, of_architecture, of_file
from fedmvp_core.backbone.assets import EMBEDDED_WEIGHTS, verified_asset
from fedmvp_core.backbone.checkpoints import Checkpoint, read_checkpoint, with_image_tower
from fedmvp_core.backbone.configs import TINY, ModelConfig
from fedmvp_core.backbone.folders import folder_weights
from fedmvp_core.errors import CheckpointError, ConfigError


def split_pretrained(pretrained: str) -> tuple[str, str]:
    """ "BASE+TOWER" -> BASE and the path of an image tower ("" without a plus sign).

    A file whose own name has a plus sign is taken as what it is.
    """
    if Path(pretrained).expanduser().is_file():
        return pretrained, ""
    base, _, tower = pretrained.partition("+")
    return base, tower


def find_weights(
    config: ModelConfig, pretrained: str | Path | None
) -> tuple[Checkpoint | None, ModelConfig]:
    """The weights, None for random ones, and the config adjusted to them.

    Raises:
        ConfigError: `pretrained` is unknown, or misses a part beside its plus sign.
        CheckpointError: the weights are missing, damaged, or no CLIP's.
    """
    named = of_architecture(config.name, config.architecture, config.folder)
    config = replace(config, activation=named)
    if not pretrained:
        return read_checkpoint(folder_weights(config)) if config.folder else None, config
    base, tower = split_pretrained(str(pretrained))
    if "+" in str(pretrained) and base != str(pretrained) and not (base and tower):
        raise ConfigError(
            f"pretrained '{pretrained}' misses a part beside the plus sign: use 'BASE+TOWER', a "
            "tag or path of a whole CLIP and the path of an image tower, as in "
            "'openai+vitb32_tecoa_eps_4.pt'."
        )
    checkpoint, config = _whole(config, Path(base) if isinstance(pretrained, Path) else base)
    return with_image_tower(checkpoint, Path(tower).expanduser()) if tower else checkpoint, config


def _whole(config: ModelConfig, base: str | Path) -> tuple[Checkpoint, ModelConfig]:
    """A whole CLIP's weights, and the config with what the weights are known to need."""
    if base in EMBEDDED_WEIGHTS:
        return _embedded(config, str(base)), config
    import open_clip

    tag = open_clip.get_pretrained_cfg(config.name, str(base))
    if tag:
        checkpoint = read_checkpoint(_download(config.name, str(base), tag))
        config = replace(config, mean=tuple(tag["mean"]), std=tuple(tag["std"]))
        if tag.get("quick_gelu"):
            return checkpoint, _with(config, Activation(QUICK_GELU, f"as the tag '{base}' says"))
    else:
        checkpoint = read_checkpoint(_local_path(config, base))
    if checkpoint.told:
        return checkpoint, _with(config, checkpoint.told)
    if not tag and config.activation and not config.folder:
        found = of_file(config.name, config.activation, checkpoint.path, checkpoint.tensors)
        return checkpoint, _with(config, found)
    return checkpoint, config


def _with(config: ModelConfig, activation: Activation) -> ModelConfig:
    """open_clip itself only warns when the name and the weights disagree."""
    quick = activation.name == QUICK_GELU
    architecture = config.architecture
    if quick or architecture.get("quick_gelu"):
        architecture = {**architecture, "quick_gelu": quick}
    return replace(config, architecture=architecture, activation=activation)


def _embedded(config: ModelConfig, name: str) -> Checkpoint:
    if config.name != TINY:
        raise ConfigError(
            f"pretrained '{name}' belongs to the backbone 'tiny', not to '{config.name}'."
        )
    whole, *towers = (verified_asset(file) for file in EMBEDDED_WEIGHTS[name])
    checkpoint = read_checkpoint(whole)
    for tower in towers:
        checkpoint = with_image_tower(checkpoint, tower)
    return checkpoint


def _local_path(config: ModelConfig, base: str | Path) -> Path:
    """The path, unless it is neither a file nor looks like one: then it is a misspelt tag."""
    path = Path(base).expanduser()
    if path.exists() or isinstance(base, Path) or len(path.parts) > 1 or path.suffix:
        return path
    raise ConfigError(
        f"pretrained '{base}' is unknown for the backbone '{config.name}': use a checkpoint's "
        f"path, or {_known_tags(config, str(base))}."
    )


def _known_tags(config: ModelConfig, base: str) -> str:
    """The tags closest to what was asked for: some names have more than twenty."""
    if config.name == TINY:
        return " or ".join(f"'{tag}'" for tag in EMBEDDED_WEIGHTS)
    if config.folder:
        return "'' for the backbone's own weights"
    import open_clip

    tags = open_clip.list_pretrained_tags_by_model(config.name)
    close = difflib.get_close_matches(base, tags, n=3, cutoff=0.5) or tags[:3]
    if not close:
        return "none (open_clip has no weights for it)"
    listing = f"open_clip.list_pretrained_tags_by_model('{config.name}')"
    return f"one of {len(tags)} tags such as {', '.join(map(repr, close))}: see {listing}"


def _download(name: str, pretrained: str, tag: dict[str, Any]) -> Path:
    """open_clip's own download, which finds earlier downloads in its cache."""
    import open_clip

    try:
        return Path(open_clip.download_pretrained(tag))
    except Exception as error:  # whatever the network stack raises
        raise CheckpointError(
            f"the weights '{pretrained}' of '{name}' could not be downloaded "
            f"({type(error).__name__}: {str(error).strip().partition(chr(10))[0]}); without a "
            "network, give the path of a checkpoint instead."
        ) from error
