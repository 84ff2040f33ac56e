"""From the words of a command line, or a named run, to a checked plan of a run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fedmvp_core.config import RunConfig, Scalar
from fedmvp_core.errors import ConfigError
from server_app.callbacks.prometheus import metrics_endpoint
from simulations.runner.named_runs import (
    NamedRun,
    load_named_run,
    pretrained_parts,
    resolve_config,
    resolve_supernodes,
)
from simulations.runner.overrides import parse_overrides
from simulations.runner.project import default_config
from simulations.runner.resources import Resources, choose_resources

DEFAULT_RUN = "demo"


@dataclass(frozen=True)
class Plan:
    """A checked run: everything that can be wrong before it starts has been looked at."""

    config: RunConfig
    supernodes: int
    resources: Resources


def named_by(words: Sequence[str]) -> tuple[NamedRun, dict[str, Scalar]]:
    """The run of the first word, or the demo if that is a KEY=VALUE, and the overrides.

    Raises:
        ConfigError: there is no such run, or a word is no KEY=VALUE of a run's configuration.
    """
    named = bool(words) and "=" not in words[0]
    name, rest = (words[0], words[1:]) if named else (DEFAULT_RUN, words)
    overrides = parse_overrides(rest, default_config())
    return load_named_run(name), overrides


def plan_run(
    run: NamedRun,
    overrides: Mapping[str, Scalar],
    supernodes: int | None = None,
    clients_at_once: int | None = None,
    clients_per_gpu: int | None = None,
) -> Plan:
    """Merge and check a run.

    Raises:
        ConfigError: a key, a path or a number is wrong, or the port of its metrics is taken.
    """
    config = resolve_config(run, overrides)
    nodes = resolve_supernodes(run, overrides, config.data, supernodes)
    resources = choose_resources(nodes, config.model.device, clients_at_once, clients_per_gpu)
    _check_paths(config)
    with metrics_endpoint(config):  # this machine is the server's, so its port can be tried
        return Plan(config, nodes, resources)


def _check_paths(config: RunConfig) -> None:
    """Look before the run folder is cleared: a wrong path must not cost an earlier run."""
    values = [("pretrained", part) for part in pretrained_parts(config.model.pretrained)]
    for key, value in [*values, ("attributes", config.data.attributes)]:
        if Path(value).is_absolute() and not Path(value).is_file():
            raise ConfigError(f"{key} is '{value}'; there is no such file")
    if config.data.data_dir and not Path(config.data.data_dir).is_dir():
        raise ConfigError(f"data-dir is '{config.data.data_dir}'; there is no such folder")
