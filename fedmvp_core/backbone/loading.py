"""From a name and a choice of weights to a frozen backbone."""

import difflib
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import open_clip
import torch

from fedmvp_core.backbone.assets import (
    EMBEDDED_WEIGHTS,
    MERGES_FILE,
    tiny_config,
    verified_asset,
)
from fedmvp_core.backbone.checkpoints import Checkpoint, check_fits, read_checkpoint
from fedmvp_core.backbone.configs import TINY, ModelConfig, open_clip_config
from fedmvp_core.backbone.model import Backbone
from fedmvp_core.errors import CheckpointError, ConfigError

RANDOM_WEIGHTS_SEED = 0
PRECISIONS = ("fp32", "bf16")


def load_backbone(
    name: str,
    pretrained: str | Path | None = None,
    device: str | torch.device = "cpu",
    precision: str = "fp32",
) -> Backbone:
    """Load a frozen CLIP in evaluation mode.

    Args:
        name: "tiny", or a ViT of `open_clip.list_models()`.
        pretrained: None or "" draws weights from a fixed seed; "embedded" takes those shipped for
            "tiny"; otherwise one of open_clip's tags, or the path of a checkpoint in OpenAI's,
            open_clip's or safetensors form. OpenAI's weights switch quick-GELU on, whatever the
            name says: they were trained with it, and lose accuracy silently without it. A tag
            brings its own pixel statistics; a path cannot, and OpenAI's are used.
        device: where the weights live.
        precision: "fp32", or "bf16" for bfloat16 autocast, on CUDA only.

    Raises:
        ConfigError: the name, tag, device or precision cannot be used.
        CheckpointError: the weights are missing, damaged, or of another architecture.
    """
    place = _checked_device(device, precision)
    config = tiny_config() if name == TINY else open_clip_config(name)
    checkpoint, config = _find_weights(config, pretrained)
    clip = _build(config, checkpoint)
    tokenizer = _tokenizer(config)
    label = str(pretrained) if pretrained else None
    return Backbone(clip, tokenizer, config, pretrained=label, precision=precision).to(place)


def _checked_device(device: str | torch.device, precision: str) -> torch.device:
    try:
        place = torch.device(device)
    except RuntimeError as error:
        raise ConfigError(f"device '{device}' is unknown: use 'cpu' or 'cuda'.") from error
    if place.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError(f"device '{device}' was asked for, but torch finds no CUDA device here.")
    if precision not in PRECISIONS:
        raise ConfigError(f"precision '{precision}' is unknown: use one of {PRECISIONS}.")
    if precision == "bf16" and place.type != "cuda":
        raise ConfigError(
            f"precision 'bf16' needs a CUDA device, not '{device}': most CPUs lack bfloat16 "
            "instructions and are many times slower with it; use 'fp32'."
        )
    return place


def _find_weights(
    config: ModelConfig, pretrained: str | Path | None
) -> tuple[Checkpoint | None, ModelConfig]:
    """The checkpoint that `pretrained` stands for, and the config adjusted to it."""
    if not pretrained:
        return None, config
    if str(pretrained) in EMBEDDED_WEIGHTS:
        if config.name != TINY:
            raise ConfigError(
                f"pretrained '{pretrained}' belongs to the backbone 'tiny', not to '{config.name}'."
            )
        return read_checkpoint(verified_asset(EMBEDDED_WEIGHTS[str(pretrained)])), config
    tag = open_clip.get_pretrained_cfg(config.name, str(pretrained))
    if tag:
        checkpoint = read_checkpoint(_download(config.name, str(pretrained), tag))
        config = replace(config, mean=tuple(tag["mean"]), std=tuple(tag["std"]))
        quick_gelu = checkpoint.from_openai or bool(tag.get("quick_gelu"))
    else:
        checkpoint = read_checkpoint(_local_path(config.name, pretrained))
        quick_gelu = checkpoint.from_openai
    if quick_gelu:
        # open_clip itself only warns when the name and the weights disagree.
        config = replace(config, architecture={**config.architecture, "quick_gelu": True})
    return checkpoint, config


def _local_path(name: str, pretrained: str | Path) -> Path:
    """The path, unless it is neither a file nor looks like one: then it is a misspelt tag."""
    path = Path(pretrained).expanduser()
    if path.exists() or isinstance(pretrained, Path) or len(path.parts) > 1 or path.suffix:
        return path
    raise ConfigError(
        f"pretrained '{pretrained}' is unknown for the backbone '{name}': use a checkpoint's path, "
        f"or {_known_tags(name, str(pretrained))}."
    )


def _known_tags(name: str, pretrained: str) -> str:
    """The tags closest to what was asked for: some names have more than twenty."""
    if name == TINY:
        return " or ".join(f"'{tag}'" for tag in EMBEDDED_WEIGHTS)
    tags = open_clip.list_pretrained_tags_by_model(name)
    close = difflib.get_close_matches(pretrained, tags, n=3, cutoff=0.5) or tags[:3]
    if not close:
        return "none (open_clip has no weights for it)"
    listing = f"open_clip.list_pretrained_tags_by_model('{name}')"
    return f"one of {len(tags)} tags such as {', '.join(map(repr, close))}: see {listing}"


def _download(name: str, pretrained: str, tag: dict[str, Any]) -> Path:
    """open_clip's own download, which finds earlier downloads in its cache."""
    try:
        return Path(open_clip.download_pretrained(tag))
    except Exception as error:  # whatever the network stack raises
        raise CheckpointError(
            f"the weights '{pretrained}' of '{name}' could not be downloaded "
            f"({type(error).__name__}: {str(error).strip().partition(chr(10))[0]}); without a "
            "network, give the path of a checkpoint instead."
        ) from error


def _build(config: ModelConfig, checkpoint: Checkpoint | None) -> Any:
    """An `open_clip.CLIP`, with the checkpoint's weights or random ones."""
    if checkpoint is None:
        # The CPU generator alone: torch.manual_seed would reseed CUDA's, which is not restored.
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(RANDOM_WEIGHTS_SEED)
            return open_clip.CLIP(**config.architecture)
    with torch.device("meta"):  # no time and memory for weights that are replaced at once
        clip = open_clip.CLIP(**config.architecture)
    scale = checkpoint.tensors.get("logit_scale")
    if scale is not None and scale.numel() == 1:  # some checkpoints hold (1,), some ()
        checkpoint.tensors["logit_scale"] = scale.reshape(clip.logit_scale.shape)
    check_fits(checkpoint, clip, config.name)
    clip.load_state_dict(checkpoint.tensors, assign=True)
    length = clip.context_length  # the mask is the one buffer that no checkpoint holds
    clip.attn_mask = torch.full((length, length), float("-inf")).triu_(1)
    return clip


def _tokenizer(config: ModelConfig) -> Any:
    """The tokenizer the model was trained with: callable, sentences -> (n, context_length)."""
    if config.name != TINY:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return open_clip.get_tokenizer(config.name)
    text = config.architecture["text_cfg"]
    tokenizer = open_clip.SimpleTokenizer(
        bpe_path=str(verified_asset(MERGES_FILE)), context_length=text["context_length"]
    )
    if tokenizer.vocab_size != text["vocab_size"]:
        raise CheckpointError(
            f"the tiny backbone's tokenizer has {tokenizer.vocab_size} words, "
            f"its config says {text['vocab_size']}: install fedmvp again."
        )
    return tokenizer
