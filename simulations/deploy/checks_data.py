"""Checks of what a node trains on: its shard, made as a run would make it, and its device."""

from collections.abc import Mapping
from typing import Any

from flwr.common.config import parse_config_args

from client_app.node import read_node
from client_app.worker import shard_of
from fedmvp_core.config import RunConfig
from fedmvp_core.data.own_shard import OWN
from fedmvp_core.data.settings import load_setting
from fedmvp_core.devices import choose_device
from fedmvp_core.errors import FedMVPError
from simulations.deploy.findings import FAILED, OK, Finding
from simulations.runner.resources import visible_gpus

_NAMED = 6


def check_data(node_config: str, config: RunConfig) -> list[Finding]:
    """Make the node's shard and say what it holds.

    node_config: the words of `flower-supernode --node-config`. config: of the run.
    """
    try:
        words = _shard_words(parse_node_config(node_config), config)
    except FedMVPError as error:
        return [Finding("data", FAILED, str(error))]
    except ValueError as error:  # Flower's, of words that are no key=value
        return [Finding("data", FAILED, f"node config '{node_config}': {error}")]
    return [Finding("data", OK, words)]


def parse_node_config(text: str) -> Mapping[str, Any]:
    """What Flower makes of `--node-config`."""
    return parse_config_args([text])


def _shard_words(node: Mapping[str, Any], run: RunConfig) -> str:
    own = "data-dir" in node and "num-partitions" not in node
    mapping = {**run.as_mapping(), "partition": OWN} if own else run.as_mapping()
    config, holding = read_node(node, mapping)
    # Only the server knows what the federation trains on; here a node's own classes are allowed.
    size = 32
    names: tuple[str, ...] = holding.classes
    if not names:
        names = load_setting(config, size).train.class_names
    shard = shard_of(config, holding, names)
    counts = shard.images.class_counts()
    shown = ", ".join(f"{name} {count}" for name, count in list(counts.items())[:_NAMED])
    more = f" and {len(counts) - _NAMED} more" if len(counts) > _NAMED else ""
    return (
        f"partition {holding.partition_id}: {len(shard.images)} training and "
        f"{len(shard.validation)} validation images of {len(counts)} classes ({shown}{more})"
    )


def check_device(device: str) -> list[Finding]:
    """Whether the device that is asked for is there; auto takes what there is."""
    try:
        found = choose_device(device)
    except FedMVPError:
        words = (
            f"device is 'cuda' but PyTorch sees no GPU (the system lists {visible_gpus()}); see "
            "nvidia-smi, the container's --gpus or the image's VARIANT=cuda, or set device to 'cpu'"
        )
        return [Finding("device", FAILED, words)]
    return [Finding("device", OK, f"{found} for device '{device}'")]
