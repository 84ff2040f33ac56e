"""From a name and a choice of weights to a frozen backbone."""

import warnings
from pathlib import Path
from typing import Any

import torch

from fedmvp_core.backbone.abilities import bfloat16_problem
from fedmvp_core.backbone.assets import MERGES_FILE, tiny_config, verified_asset
from fedmvp_core.backbone.blocks import PLAIN, BlockRunning
from fedmvp_core.backbone.checkpoints import Checkpoint, check_fits
from fedmvp_core.backbone.configs import TINY, ModelConfig, open_clip_config
from fedmvp_core.backbone.folders import LOCAL_PREFIX, folder_config, is_folder
from fedmvp_core.backbone.model import Backbone
from fedmvp_core.backbone.tokenizing import Tokenizer
from fedmvp_core.backbone.weights import find_weights
from fedmvp_core.errors import CheckpointError, ConfigError

RANDOM_WEIGHTS_SEED = 0
PRECISIONS = ("fp32", "bf16")


def load_backbone(
    name: str,
    pretrained: str | Path | None = None,
    device: str | torch.device = "cpu",
    precision: str = "fp32",
    running: BlockRunning = PLAIN,
) -> Backbone:
    """Load a frozen CLIP in evaluation mode.

    Args:
        name: "tiny", a ViT of `open_clip.list_models()`, "hf-hub:ORG/NAME", or a folder with
            `open_clip_config.json` ("local-dir:PATH" or its plain path). The latter two bring their
            pixel statistics and activation, and weights for an empty `pretrained`.
        pretrained: None or "" draws weights from a fixed seed, or takes a folder's own; "embedded"
            and "embedded-robust" are those shipped for "tiny"; otherwise one of open_clip's tags,
            or the path of a checkpoint in OpenAI's, open_clip's or safetensors form. A tag brings
            its own pixel statistics; a path cannot, and the config's are used.
            "BASE+TOWER" takes the image tower from the file TOWER and the rest from BASE, a tag or
            path: the robust image encoders of TeCoA, FARE and APT are published alone.
            OpenAI's weights switch quick-GELU on, whatever the name says: they were trained with
            it, and lose accuracy silently without it. They are told by their form, Transformers'
            files by the config.json beside them. Of others the name decides, such as
            "ViT-B-32-quickgelu"; the backbone's `activation` says so.
        device: where the weights live.
        precision: "fp32", or "bf16" for towers in bfloat16, on CUDA only.
        running: how blocks are run where gradients are asked for.

    Raises:
        ConfigError: the name, tag, device or precision cannot be used.
        CheckpointError: the weights are missing, damaged, or of another architecture.
    """
    place = _checked_device(device, precision)
    checkpoint, config = find_weights(_config(name), pretrained)
    clip = _build(config, checkpoint)
    tokenizer = _tokenizer(config)
    label = str(pretrained) if pretrained else None
    notes = checkpoint.notes if checkpoint else ()
    return Backbone(clip, tokenizer, config, label, precision, notes, running).to(place)


def _config(name: str) -> ModelConfig:
    if name == TINY:
        return tiny_config()
    return folder_config(name) if is_folder(name) else open_clip_config(name)


def _checked_device(device: str | torch.device, precision: str) -> torch.device:
    try:
        place = torch.device(device)
    except RuntimeError as error:
        raise ConfigError(f"device '{device}' is unknown: use 'cpu' or 'cuda'.") from error
    if place.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError(f"device '{device}' was asked for, but torch finds no CUDA device here.")
    if precision not in PRECISIONS:
        raise ConfigError(f"precision '{precision}' is unknown: use one of {PRECISIONS}.")
    if precision == "bf16" and (problem := bfloat16_problem(place)):
        raise ConfigError(f"precision {problem}; use 'fp32'.")
    return place


def _build(config: ModelConfig, checkpoint: Checkpoint | None) -> Any:
    """An `open_clip.CLIP`, with the checkpoint's weights or random ones."""
    import open_clip

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


def load_tokenizer(name: str) -> Tokenizer:
    """How a backbone reads sentences, without its weights; `name` as `load_backbone` has it.

    Raises:
        ConfigError: the name cannot be used.
        CheckpointError: a folder's config is missing or damaged.
    """
    return _tokenizer(_config(name))


def _tokenizer(config: ModelConfig) -> Tokenizer:
    """The tokenizer the model was trained with."""
    import open_clip

    text = config.architecture["text_cfg"]
    if config.name == TINY:
        merges = str(verified_asset(MERGES_FILE))
        tokenizer = open_clip.SimpleTokenizer(merges, context_length=text["context_length"])
    else:
        name = f"{LOCAL_PREFIX}{config.folder}" if config.folder else config.name
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tokenizer = open_clip.get_tokenizer(name)
    words = text.get("vocab_size", tokenizer.vocab_size)
    if tokenizer.vocab_size != words:
        raise CheckpointError(
            f"the tokenizer of the backbone '{config.name}' has {tokenizer.vocab_size} words, its "
            f"config says {words}: features would be wrong."
        )
    return Tokenizer(config.name, tokenizer.context_length, tokenizer)
