"""`fedmvp suite`: each run of a suite with each seed, and the table of them."""

from typing import Annotated

import typer

from simulations.commands import completing
from simulations.commands.options import (
    OUTPUT_DIR,
    ClientsAtOnce,
    ClientsPerGpu,
    Debug,
    MoreSeeds,
    OutputDir,
    Overwrite,
    RayAddress,
    Root,
    Seeds,
    SmallEngine,
    chosen_seeds,
)
from simulations.console import Console


def suite(
    name: Annotated[
        str,
        typer.Argument(
            help="A shipped suite (fedmvp list), or a .toml file.", autocompletion=completing.suites
        ),
    ],
    more_seeds: MoreSeeds = None,
    seeds: Seeds = None,
    root: Root = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint of broken-off runs.")
    ] = False,
    overwrite: Overwrite = False,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="One short round of some of its runs, to see it work.")
    ] = False,
    table_only: Annotated[
        bool, typer.Option("--table", help="Tabulate what is done; run nothing.")
    ] = False,
    output_dir: OutputDir = OUTPUT_DIR,
    clients_at_once: ClientsAtOnce = None,
    clients_per_gpu: ClientsPerGpu = None,
    engine: SmallEngine = "",
    ray_address: RayAddress = None,
    jobs: Annotated[
        int, typer.Option("--jobs", min=1, help="Runs at once, each in a process, one core.")
    ] = 1,
    debug: Debug = False,
) -> None:
    """Run what is not done yet of a suite, and tabulate the results beside published ones.

    Example: fedmvp suite emoji-things --seeds 1 2 3
    """
    from simulations.suite.files import load_suite

    chosen = chosen_seeds(seeds, more_seeds)
    load_suite(name)  # a misspelt one is told before torch is loaded
    from simulations.suite.running import SuiteOptions, run_suite

    options = SuiteOptions(
        output_dir=output_dir,
        seeds=chosen,
        root=root,
        resume=resume,
        overwrite=overwrite,
        smoke=smoke,
        table_only=table_only,
        clients_at_once=clients_at_once,
        clients_per_gpu=clients_per_gpu,
        engine=engine,
        ray_address=ray_address,
        jobs=jobs,
    )
    raise typer.Exit(run_suite(Console(), name, options))
