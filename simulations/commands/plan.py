"""`fedmvp plan`: what a run would take, from one client that is measured."""

from typing import Annotated

import typer

from fedmvp_core.errors import ConfigError
from simulations.commands.options import RunWords
from simulations.console import Console


def plan(
    words: RunWords = None,
    supernodes: Annotated[
        int | None, typer.Option("--supernodes", help="How many clients. Default: the run's.")
    ] = None,
    gpus: Annotated[
        int | None, typer.Option("--gpus", min=1, help="How many GPUs. Default: 1, 2 and 8.")
    ] = None,
) -> None:
    """Measure one client, and say what the run would take.

    Example: fedmvp plan demo --supernodes 20
    """
    from simulations.runner.named_runs import resolve_config, resolve_supernodes
    from simulations.runner.planning import named_by
    from simulations.runner.resources import visible_cpus, visible_gpus

    run, overrides = named_by(words or [])
    config = resolve_config(run, overrides)
    clients = resolve_supernodes(run, overrides, config.data, supernodes)

    if gpus is not None and (config.model.device == "cpu" or not visible_gpus()):
        raise ConfigError(
            f"gpus is {gpus}, but there is none here to measure a client on, or device is 'cpu'; "
            "allowed: on a machine with a GPU like those"
        )

    from simulations.runner.client_cost import measure_client  # with torch
    from simulations.runner.cost_tables import CARDS, print_cost

    console = Console()
    with console.status("loading weights and data, and training a batch"):
        cost = measure_client(config, clients)
    print_cost(console, config, cost, clients, visible_cpus(), [gpus] if gpus else CARDS)
