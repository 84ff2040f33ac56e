"""`fedmvp plan`: what a run would take, from one client that is measured."""

from typing import Annotated

import typer

from simulations.commands.options import RunWords
from simulations.console import Console


def plan(
    words: RunWords = None,
    supernodes: Annotated[
        int | None, typer.Option("--supernodes", help="How many clients. Default: the run's.")
    ] = None,
) -> None:
    """Measure one client, and say what the run would take.

    Example: fedmvp plan demo --supernodes 20
    """
    from simulations.runner.named_runs import resolve_config, resolve_supernodes
    from simulations.runner.planning import named_by
    from simulations.runner.resources import visible_cpus

    run, overrides = named_by(words or [])
    config = resolve_config(run, overrides)
    clients = resolve_supernodes(run, overrides, config.data, supernodes)

    from simulations.runner.client_cost import measure_client  # with torch
    from simulations.runner.cost_tables import print_cost

    console = Console()
    with console.status("loading weights and data, and training a batch"):
        cost = measure_client(config, clients)
    print_cost(console, config, cost, clients, visible_cpus())
