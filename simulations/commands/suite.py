"""`fedmvp suite`: each run of a suite with each seed, and the table of them."""

from pathlib import Path
from typing import Annotated

import typer

from fedmvp_core.errors import ConfigError
from simulations.commands.options import (
    OUTPUT_DIR,
    ClientsAtOnce,
    ClientsPerGpu,
    Debug,
    OutputDir,
    Overwrite,
    SmallEngine,
)
from simulations.console import Console


def suite(
    name: Annotated[str, typer.Argument(help="A shipped suite, or a .toml file.")],
    more_seeds: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,
    seeds: Annotated[
        list[str] | None, typer.Option("--seeds", help="Seeds, such as 1 2 3, for all its runs.")
    ] = None,
    root: Annotated[
        Path | None,
        typer.Option("--root", help="The folder that holds the data sets' folders."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint of broken-off runs.")
    ] = False,
    overwrite: Overwrite = False,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="One short round of some of its runs, to see it work.")
    ] = False,
    output_dir: OutputDir = OUTPUT_DIR,
    clients_at_once: ClientsAtOnce = None,
    clients_per_gpu: ClientsPerGpu = None,
    engine: SmallEngine = "",
    debug: Debug = False,
) -> None:
    """Run what is not done yet of a suite, and tabulate the results beside published ones."""
    from simulations.suite.files import load_suite, parse_seeds

    # An option takes one word, so of `--seeds 1 2 3` the rest arrives as arguments.
    if more_seeds and not seeds:
        raise ConfigError(f"'{more_seeds[0]}' is not understood; write --seeds 1 2 3")
    chosen = parse_seeds([*(seeds or []), *(more_seeds or [])])
    load_suite(name)  # a misspelt one is told before torch is loaded
    from simulations.suite.running import SuiteOptions, run_suite

    options = SuiteOptions(
        output_dir=output_dir,
        seeds=chosen,
        root=root,
        resume=resume,
        overwrite=overwrite,
        smoke=smoke,
        clients_at_once=clients_at_once,
        clients_per_gpu=clients_per_gpu,
        engine=engine,
    )
    raise typer.Exit(run_suite(Console(), name, options))
