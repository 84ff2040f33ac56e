"""From a run's configuration to what the run works with: backbone, feature cache and setting."""

from dataclasses import dataclass

import torch

from fedmvp_core.backbone import Backbone, FeatureCache, load_backbone
from fedmvp_core.backbone.abilities import bfloat16_problem, compile_problem
from fedmvp_core.backbone.blocks import BlockRunning, keep_compiled
from fedmvp_core.backbone.configs import TINY
from fedmvp_core.config import ModelSection, RunConfig, RunSection
from fedmvp_core.data.settings import Setting, load_setting
from fedmvp_core.devices import choose_device
from fedmvp_core.disk import cache_directory
from fedmvp_core.errors import ConfigError
from fedmvp_core.json_logs import logger


@dataclass(frozen=True)
class Workspace:
    """What a run works with: its frozen model, the cache of frozen features, and its data."""

    backbone: Backbone
    cache: FeatureCache
    setting: Setting


def open_workspace(
    config: RunConfig, device: str | None = None, precision: str | None = None
) -> Workspace:
    """Load all that a configuration names. device, precision: in place of the configured ones.

    Raises:
        FedMVPError: the backbone or the data cannot be loaded.
    """
    backbone = open_backbone(config.model, device, precision)
    setting = load_setting(config, backbone.image_size)
    return Workspace(backbone, feature_cache(config.run), setting)


def open_backbone(
    model: ModelSection, device: str | None = None, precision: str | None = None
) -> Backbone:
    """Load the configured backbone. device, precision: in place of the configured ones.

    What is reported is measured with precision "fp32", whatever the clients train with.

    Raises:
        ConfigError: the name, weights, device or precision cannot be used.
        CheckpointError: the weights are missing, damaged, or of another architecture.
    """
    place = str(choose_device(model.device if device is None else device))
    return load_backbone(
        model.backbone,
        model.pretrained or None,
        place,
        model.precision if precision is None else precision,
        BlockRunning(checkpointing=model.activation_checkpointing),
    )


def check_arithmetic(model: ModelSection, device: torch.device) -> None:
    """Whether clients on a device can compute as the configuration has it.

    Raises:
        ConfigError: the device lacks bfloat16, or torch.compile cannot work with it.
    """
    if model.precision == "bf16" and (problem := bfloat16_problem(device)):
        raise ConfigError(f"precision {problem}; use 'fp32'.")
    if model.compile == "true" and (problem := compile_problem(device)):
        raise ConfigError(f"compile is 'true', but {problem}; allowed here: false, auto")


def block_running(config: RunConfig, device: torch.device) -> BlockRunning:
    """How the towers' blocks are run by a client that trains on a device.

    compile=auto is on where it is known to gain: on CUDA, for towers larger than the tiny one.

    Raises:
        ConfigError: precision or compile is not for this device.
    """
    check_arithmetic(config.model, device)
    rows = config.training.batch_size if _compiles(config.model, device) else 0
    if rows:
        keep_compiled(cache_directory(config.run.cache_dir) / "compiled")
    return BlockRunning(rows, config.model.activation_checkpointing)


def _compiles(model: ModelSection, device: torch.device) -> bool:
    """Whether `compile` asks for it, or auto finds it worth while."""
    if model.compile != "auto":
        return model.compile == "true"
    known = device.type == "cuda" and model.backbone != TINY
    why = compile_problem(device) if known else f"'{model.backbone}' on '{device}' gains little"
    if why:
        logger.info("compile is 'auto' and stays off: %s", why)
    return not why


def feature_cache(run: RunSection) -> FeatureCache:
    """The cache of frozen features, in memory and below the configured cache folder."""
    return FeatureCache(cache_directory(run.cache_dir) / "features")
