"""From a named run and words to a checked plan: what can be wrong is found before a run starts."""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fedmvp_core.config import RunConfig, Scalar
from fedmvp_core.data.catalogue import check_data_dir
from fedmvp_core.errors import ConfigError
from server_app.callbacks.prometheus import try_port
from simulations.cluster.installed import installed
from simulations.cluster.joining import AUTO, join_cluster, knock
from simulations.cluster.nodes import check_nodes
from simulations.runner.named_runs import (
    NamedRun,
    load_named_run,
    pretrained_parts,
    resolve_config,
    resolve_supernodes,
)
from simulations.runner.overrides import parse_overrides
from simulations.runner.project import default_config
from simulations.runner.resources import (
    Resources,
    choose_resources,
    cluster_resources,
    most_at_once,
)

logger = logging.getLogger(__name__)
DEFAULT_RUN = "demo"
INLINE, RAY = "inline", "ray"
ENGINES = (INLINE, RAY)


@dataclass(frozen=True)
class Plan:
    """A checked run. engine: who plays the clients, "inline" (this process) or "ray"."""

    config: RunConfig
    supernodes: int
    resources: Resources
    engine: str = RAY


def named_by(words: Sequence[str]) -> tuple[NamedRun, dict[str, Scalar]]:
    """The run of the first word and the overrides; the demo if there is no word at all.

    If the first word is a KEY=VALUE, the run is what pyproject.toml's defaults say, so that what
    makes the demo a demo is in nobody's own run.

    Raises:
        ConfigError: there is no such run, or a word is no KEY=VALUE of a run's configuration.
    """
    if words and "=" in words[0]:
        plain = NamedRun(str(default_config()["run-name"]), "", supernodes=0, config={})
        return plain, parse_overrides(words, default_config())
    name, rest = (words[0], words[1:]) if words else (DEFAULT_RUN, words)
    overrides = parse_overrides(rest, default_config())
    return load_named_run(name), overrides


def plan_run(
    run: NamedRun,
    overrides: Mapping[str, Scalar],
    supernodes: int | None = None,
    clients_at_once: int | None = None,
    clients_per_gpu: int | None = None,
    engine: str = RAY,
    ray_address: str | None = None,
) -> Plan:
    """Merge and check a run.

    ray_address: "auto" or HOST:PORT of a standing cluster; None: Ray is started for the run.

    Raises:
        ConfigError: a key, a path, a number of clients, a port, the engine or the cluster is not
            what it may be, or a package is missing that the run's end would need.
    """
    check_engine(engine, clients_at_once, clients_per_gpu, ray_address)
    if ray_address not in (None, AUTO):
        knock(ray_address)
    config = resolve_config(run, overrides)
    nodes = resolve_supernodes(run, overrides, config.data, supernodes)
    _check_paths(config)
    check_data_dir(config.data)
    try_port(config.run)  # this machine is the server's
    # With torch, which `--help` does not need.
    import torch

    from fedmvp_core.workspace import check_arithmetic
    from server_app.start_checks import check_batching, check_start
    from simulations.plugins.sharing import check_sharing

    numbers, cohort = (clients_at_once, clients_per_gpu), _asked_at_once(config, nodes)
    if ray_address is None:
        resources = choose_resources(nodes, config.model.device, *numbers, cohort)
        if resources.gpus == 0:  # clients look at their GPU themselves
            check_arithmetic(config.model, torch.device("cpu"))
    check_batching(config.federation, one_process=engine == INLINE)
    check_start(config, nodes)
    check_sharing(config)
    if ray_address is not None:
        resources = _joined(ray_address, config.model.device, *numbers, cohort)
    return Plan(config, nodes, resources, engine)


def _asked_at_once(config: RunConfig, clients: int) -> int:
    """How many clients a round asks, to train or to test."""
    from server_app.cohort.nodes import cohort_size  # with torch, which `--help` does not need

    shares = (config.federation.fraction_train, config.evaluation.fraction_evaluate)
    return cohort_size(clients, max(shares))


def _joined(
    address: str,
    device: str,
    clients_at_once: int | None,
    clients_per_gpu: int | None,
    cohort: int,
) -> Resources:
    """The resources of a cluster whose nodes have what this machine has.

    Raises:
        ConfigError: nobody answers, a node has another version, or there is no place for a client.
    """
    cluster = join_cluster(address)
    resources = cluster_resources(cluster, device, clients_at_once, clients_per_gpu, cohort)
    if min(resources.cpus, cohort) > most_at_once():
        logger.warning(
            "the cluster has %d places, but Flower asks %d clients at once from a machine with %d "
            "CPUs (4 more than these, at most 32)",
            *(resources.cpus, most_at_once(), os.cpu_count() or 1),
        )
    playing = [node for node in cluster.nodes if node.places(resources.gpus_per_client)]
    check_nodes(playing, {**installed(), "threads": "1"})
    return resources


def small_engine(
    clients_at_once: int | None, clients_per_gpu: int | None, ray_address: str | None = None
) -> str:
    """The engine of many small federations: inline, unless clients are to train side by side."""
    asked = (clients_at_once, clients_per_gpu, ray_address)
    return INLINE if all(value is None for value in asked) else RAY


def check_engine(
    engine: str,
    clients_at_once: int | None,
    clients_per_gpu: int | None,
    ray_address: str | None = None,
) -> None:
    """Raises ConfigError for an unknown engine, or one that cannot do what is asked."""
    if engine not in ENGINES:
        raise ConfigError(f"engine is '{engine}'; allowed: {', '.join(ENGINES)}")
    if engine == INLINE and ray_address is not None:
        raise ConfigError(
            f"ray-address is '{ray_address}' but engine is 'inline', which plays the clients in "
            "this process; a cluster needs --engine ray"
        )
    if engine == INLINE and (clients_at_once or 1, clients_per_gpu or 1) != (1, 1):
        raise ConfigError(
            "engine is 'inline', which plays one client after another; clients side by side need "
            "--engine ray"
        )


def check_files(config: RunConfig) -> None:
    """Raises ConfigError for a path of weights or attributes at which there is no file."""
    values = [("pretrained", part) for part in pretrained_parts(config.model.pretrained)]
    for key, value in [*values, ("attributes", config.data.attributes)]:
        if Path(value).is_absolute() and not Path(value).is_file():
            raise ConfigError(f"{key} is '{value}'; there is no such file")


def _check_paths(config: RunConfig) -> None:
    """Look before the run folder is cleared: a wrong path must not cost an earlier run."""
    check_files(config)
    if config.data.data_dir and not Path(config.data.data_dir).is_dir():
        raise ConfigError(f"data-dir is '{config.data.data_dir}'; there is no such folder")
