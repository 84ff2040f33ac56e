"""Checks of a node's shard, which is made as a run would make it, and of its device."""

from collections.abc import Mapping
from typing import Any

from click.exceptions import ClickException
from flwr.common.config import parse_config_args

from client_app.node import read_node
from client_app.worker import configured_backbone, shard_of
from fedmvp_core.config import RunConfig
from fedmvp_core.data.own_shard import OWN
from fedmvp_core.data.plugins import load_dataset
from fedmvp_core.devices import choose_device
from fedmvp_core.errors import ConfigError, FedMVPError
from simulations.deploy.findings import FAILED, OK, Finding
from simulations.runner.project import default_config
from simulations.runner.resources import visible_gpus

_NAMED = 6


def check_data(node_config: str, run: RunConfig | None) -> list[Finding]:
    """Make the node's shard and say what it holds.

    node_config: the words of `flower-supernode --node-config`. run: the run that the node will
    serve. Without a run, a node's own data is checked, but no piece of a data set.
    """
    try:
        words = _shard_words(parse_node_config(node_config), run)
    except FedMVPError as error:
        return [Finding("data", FAILED, str(error))]
    return [Finding("data", OK, words)]


def parse_node_config(text: str) -> Mapping[str, Any]:
    """What Flower makes of `--node-config`.

    Raises:
        ConfigError: it holds no key=value, or a value that is none.
    """
    try:
        return parse_config_args([text])
    except ClickException as error:
        raise ConfigError(f"node config is '{text}'. {error.message}") from None


def _shard_words(node: Mapping[str, Any], run: RunConfig | None) -> str:
    own = "data-dir" in node and "num-partitions" not in node
    mapping = default_config() if run is None else run.as_mapping()
    config, holding = read_node(node, mapping | {"partition": OWN} if own else mapping)
    if run is None and not own:
        which = f"piece {holding.partition_id} of {holding.partitions}"
        return f"{which} of the run's data set; name the run to have it looked at"
    # Only the server knows what the federation trains on: here a node's own classes are allowed.
    names: tuple[str, ...] = ()
    if own:
        size = configured_backbone(config).image_size
        names = load_dataset(config.data, config.run, size).class_names
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
