"""From a named run and words to a checked plan: what can be wrong is found before a run starts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from fedmvp_core.config import RunConfig, Scalar
from fedmvp_core.data.catalogue import check_data_dir
from fedmvp_core.errors import ConfigError
from server_app.callbacks.prometheus import try_port
from simulations.runner.named_runs import (
    NamedRun,
    pretrained_parts,
    resolve_config,
    resolve_supernodes,
)
from simulations.runner.overrides import parse_overrides
from simulations.runner.progress import shown_progress
from simulations.runner.project import default_config
from simulations.runner.resources import Resources, choose_resources
from simulations.runner.simulate import RunOutcome, run_simulation

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


def plan_run(
    run: NamedRun,
    overrides: Mapping[str, Scalar],
    supernodes: int | None = None,
    clients_at_once: int | None = None,
    clients_per_gpu: int | None = None,
    engine: str = RAY,
) -> Plan:
    """Merge and check a run.

    Raises:
        ConfigError: a key, a path, a number of clients, a port or the engine is not what it may be.
    """
    check_engine(engine, clients_at_once, clients_per_gpu)
    config = resolve_config(run, overrides)
    nodes = resolve_supernodes(run, overrides, config, supernodes)
    resources = choose_resources(nodes, config.model.device, clients_at_once, clients_per_gpu)
    _check_paths(config)
    check_data_dir(config.data)
    try_port(config.run)  # this machine is the server's
    return Plan(config, nodes, resources, engine)


def small_engine(clients_at_once: int | None, clients_per_gpu: int | None) -> str:
    """The engine of many small federations: inline, unless clients are to train side by side."""
    return INLINE if clients_at_once is None and clients_per_gpu is None else RAY


def check_engine(engine: str, clients_at_once: int | None, clients_per_gpu: int | None) -> None:
    """Raises ConfigError for an unknown engine, or one that cannot do what is asked."""
    if engine not in ENGINES:
        raise ConfigError(f"engine is '{engine}'; allowed: {', '.join(ENGINES)}")
    if engine == INLINE and (clients_at_once or 1, clients_per_gpu or 1) != (1, 1):
        raise ConfigError(
            "engine is 'inline', which plays one client after another; clients side by side need "
            "--engine ray"
        )


def _check_paths(config: RunConfig) -> None:
    """Look before the run folder is cleared: a wrong path must not cost an earlier run."""
    values = [("pretrained", part) for part in pretrained_parts(config.model.pretrained)]
    for key, value in [*values, ("attributes", config.data.attributes)]:
        if Path(value).is_absolute() and not Path(value).is_file():
            raise ConfigError(f"{key} is '{value}'; there is no such file")
    if config.data.data_dir and not Path(config.data.data_dir).is_dir():
        raise ConfigError(f"data-dir is '{config.data.data_dir}'; there is no such folder")


def split_words(words: Sequence[str]) -> tuple[str, dict[str, Scalar]]:
    """The run's name (the first word, unless it is a KEY=VALUE) and the overrides."""
    named = bool(words) and "=" not in words[0]
    name, rest = (words[0], words[1:]) if named else (DEFAULT_RUN, words)
    return name, parse_overrides(rest, default_config())


def run_plan(plan: Plan, console: Console) -> RunOutcome:
    """Run it by its engine, showing its progress."""
    with shown_progress(console, plan.config) as on_event:
        if plan.engine == INLINE:
            from simulations.runner.inline import run_inline  # with torch, Flower and both apps

            return run_inline(plan.config, plan.supernodes, on_event)
        return run_simulation(plan.config, plan.supernodes, plan.resources, on_event)
