"""What a client process keeps between messages: the backbone, the cache, prepared shards.

A process plays many clients, so all of this is made once and shared by them. In a deployment every
message starts a fresh process; there the disk caches take over.
"""

import copy
from functools import lru_cache

import torch

from client_app.node import Holding
from fedmvp_core.backbone import Backbone, FeatureCache, load_backbone
from fedmvp_core.backbone.blocks import BlockRunning
from fedmvp_core.config import RunConfig
from fedmvp_core.data.own_shard import OWN, own_shard
from fedmvp_core.data.settings import Setting, load_setting
from fedmvp_core.data.shards import Shard, make_shards
from fedmvp_core.devices import choose_device
from fedmvp_core.disk import cache_directory
from fedmvp_core.local.shard import PreparedShard, prepare_shard
from fedmvp_core.methods import find_method
from fedmvp_core.prompting import Prompting
from fedmvp_core.workspace import block_running


@lru_cache(maxsize=1)
def backbone_for(
    name: str, pretrained: str, device: torch.device, precision: str, running: BlockRunning
) -> Backbone:
    """The one backbone of this process."""
    return load_backbone(name, pretrained or None, device, precision, running)


@lru_cache(maxsize=1)
def _running(config: RunConfig, device: torch.device) -> BlockRunning:
    return block_running(config, device)


@lru_cache(maxsize=1)
def feature_cache(directory: str) -> FeatureCache:
    """The one feature cache of this process."""
    return FeatureCache(cache_directory(directory) / "features")


@lru_cache(maxsize=1)
def _setting(config: RunConfig, image_size: int) -> Setting:
    return load_setting(config, image_size)


@lru_cache(maxsize=1)
def _shards(config: RunConfig, clients: int, image_size: int) -> list[Shard]:
    return make_shards(_setting(config, image_size), clients, config)


def configured_backbone(config: RunConfig) -> Backbone:
    """The backbone that a run's configuration names."""
    model = config.model
    device = choose_device(model.device)
    running = _running(config, device)
    return backbone_for(model.backbone, model.pretrained, device, model.precision, running)


@lru_cache(maxsize=1)
def _untrained(config: RunConfig, class_names: tuple[str, ...]) -> Prompting:
    return find_method(config).build_prompting(configured_backbone(config), class_names)


def new_prompting(config: RunConfig, class_names: tuple[str, ...]) -> Prompting:
    """The method's untrained module, a client's own to change; it is drawn once a process."""
    return copy.deepcopy(_untrained(config, class_names))


def shard_of(config: RunConfig, holding: Holding, class_names: tuple[str, ...]) -> Shard:
    """The shard of one client; the data set is read and cut once a process.

    class_names: all classes that the federation trains on.
    """
    image_size = configured_backbone(config).image_size
    if config.data.partition == OWN:
        own = holding.partition_id, holding.classes
        return own_shard(config, image_size, *own, class_names)
    return _shards(config, holding.partitions, image_size)[holding.partition_id]


@lru_cache(maxsize=64)
def prepared_shard(
    config: RunConfig, holding: Holding, class_names: tuple[str, ...]
) -> PreparedShard:
    """A shard on its device with its frozen features.

    class_names: all classes of the federation, at which an attack may aim if it is configured to.
    """
    backbone = configured_backbone(config)
    shard = shard_of(config, holding, class_names)
    attacked = None
    if config.attack.attack_classes == "global":
        attacked = _setting(config, backbone.image_size).make_task(class_names)
    cache = feature_cache(config.run.cache_dir)
    return prepare_shard(backbone, shard, cache, attacked, config.training, config.run.seed)


def forget() -> None:
    """Empty what this process keeps between messages, as if it had been started afresh."""
    for cached in (
        backbone_for,
        _running,
        feature_cache,
        _setting,
        _shards,
        _untrained,
        prepared_shard,
    ):
        cached.cache_clear()
