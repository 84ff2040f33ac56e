"""The node config of a SuperNode: which shard is its own.

partition-id=0 num-partitions=3                    a piece of the run's data set, as in simulation
partition-id=0 num-partitions=3 data-dir="/data"   the same, where this machine keeps the data set
partition-id=0 data-dir="/data/site-a" dataset="imagefolder" classes="bee,cat"
                                                   all that lies there (with partition = "own")
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from fedmvp_core.config import RunConfig, did_you_mean, parse_config
from fedmvp_core.data.own_shard import OWN
from fedmvp_core.errors import ConfigError

PARTITION_ID, NUM_PARTITIONS, CLASSES = "partition-id", "num-partitions", "classes"
# What a node may say otherwise than the run: where things are, not what is done with them.
PLACES = ("data-dir", "dataset", "cache-dir")


@dataclass(frozen=True)
class Holding:
    """What a node holds. partitions: pieces of the data set, 0: its data is its own.

    classes: of its own data; () = all that are there.
    """

    partition_id: int
    partitions: int
    classes: tuple[str, ...] = ()


def read_node(node_config: Mapping[str, Any], run: Mapping[str, Any]) -> tuple[RunConfig, Holding]:
    """The run's configuration as this node sees it, and what the node holds.

    Raises:
        ConfigError: a key of the node config is unknown, missing, of another kind, or contradicts
            the run; or the run's configuration is wrong.
    """
    known = (PARTITION_ID, NUM_PARTITIONS, CLASSES, *PLACES)
    for key in node_config:
        if key not in known:
            raise ConfigError(f"unknown node-config key '{key}'{did_you_mean(key, list(known))}")
    places = {key: str(node_config[key]) for key in PLACES if key in node_config}
    config = _parsed(tuple((k, type(v), v) for k, v in {**run, **places}.items()))
    partition_id = partition_id_of(node_config)
    classes = _class_list(node_config)
    if config.data.partition == OWN:
        if NUM_PARTITIONS in node_config:
            raise ConfigError(
                f"node config has {NUM_PARTITIONS}, but partition is '{OWN}': this node's shard is "
                "all of its data; leave it out"
            )
        return config, Holding(partition_id, 0, classes)
    if classes:
        raise ConfigError(
            f"node config has classes, but partition is '{config.data.partition}'; "
            f"allowed with partition '{OWN}' only"
        )
    partitions = _whole(node_config, NUM_PARTITIONS, f"(or set partition to '{OWN}')")
    if not 0 <= partition_id < partitions:
        raise ConfigError(
            f"{PARTITION_ID} is {partition_id}; allowed: 0 to {partitions - 1}, since "
            f"{NUM_PARTITIONS} is {partitions}"
        )
    return config, Holding(partition_id, partitions)


@lru_cache(maxsize=8)
def _parsed(entries: tuple[tuple[str, type, Any], ...]) -> RunConfig:
    """The configuration of these keys, types and values; a process gets the same many times."""
    return parse_config({key: value for key, _, value in entries})


def partition_id_of(node_config: Mapping[str, Any]) -> int:
    """The number by which runs, metrics and errors call this node.

    Raises:
        ConfigError: it is missing, or not a whole number from 0.
    """
    partition_id = _whole(node_config, PARTITION_ID, "")
    if partition_id < 0:
        raise ConfigError(f"{PARTITION_ID} is {partition_id}; allowed: 0 or more")
    return partition_id


def _whole(node_config: Mapping[str, Any], key: str, instead: str) -> int:
    value = node_config.get(key)
    if type(value) is not int:
        found = "missing" if value is None else repr(value)
        raise ConfigError(
            f"node config: {key} is {found}; allowed: a whole number {instead}".rstrip()
        )
    return value


def _class_list(node_config: Mapping[str, Any]) -> tuple[str, ...]:
    text = str(node_config.get(CLASSES, ""))
    return tuple(name.strip() for name in text.split(",") if name.strip())
