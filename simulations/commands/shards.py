"""`fedmvp shards`: who would hold what, before anything runs."""

from pathlib import Path
from typing import Annotated

import typer

from fedmvp_core.errors import ConfigError
from simulations.commands.options import RunWords
from simulations.console import Console

IMAGE_SIZE = 8  # any will do: nothing looks at the pictures


def shards(
    words: RunWords = None,
    supernodes: Annotated[
        int | None, typer.Option("--supernodes", help="How many clients. Default: the run's.")
    ] = None,
    paper: Annotated[
        bool, typer.Option("--paper", help="As many clients as FedMVP: about 20 classes each.")
    ] = False,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Draw classes by clients: a .svg or .png file.")
    ] = None,
) -> None:
    """Show what each client of a run would hold.

    Example: fedmvp shards partition=dirichlet --supernodes 10
    """
    from simulations.runner.named_runs import resolve_config, resolve_supernodes
    from simulations.runner.planning import named_by

    if paper and supernodes is not None:
        raise ConfigError(f"--paper and --supernodes {supernodes} both give a number; name one")
    run, overrides = named_by(words or [])
    config = resolve_config(run, overrides)
    clients = 0 if paper else resolve_supernodes(run, overrides, config.data, supernodes)
    if plot is not None:
        from simulations.datasets.shard_plot import check_plot, plot_shards

        check_plot(plot)

    from fedmvp_core.data.settings import load_setting  # with torch
    from fedmvp_core.data.shards import make_shards, paper_clients
    from simulations.datasets.shard_tables import print_shards

    setting = load_setting(config, IMAGE_SIZE)
    clients = clients or paper_clients(setting, config.data)
    held = make_shards(setting, clients, config)
    console = Console()
    print_shards(console, held, setting, config.data)
    if plot is not None:
        plot_shards(held, setting.train.class_names, plot)
        console.print(f"plot: {plot.absolute()}", soft_wrap=True, highlight=False)
