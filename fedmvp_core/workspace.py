"""From a run's configuration to what the run works with: backbone, feature cache and setting."""

from dataclasses import dataclass

from fedmvp_core.backbone import Backbone, FeatureCache, load_backbone
from fedmvp_core.config import ModelSection, RunConfig, RunSection
from fedmvp_core.data.settings import Setting, load_setting
from fedmvp_core.devices import choose_device
from fedmvp_core.disk import cache_directory


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
    )


def feature_cache(run: RunSection) -> FeatureCache:
    """The cache of frozen features, in memory and below the configured cache folder."""
    return FeatureCache(cache_directory(run.cache_dir) / "features")
