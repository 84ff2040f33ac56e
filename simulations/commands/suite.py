"""`fedmvp suite`: each run of a suite with each seed, and the table of them."""

from typing import Annotated

import typer
from rich.console import Console

from fedmvp_core.errors import ConfigError
from simulations.commands.options import (
    OUTPUT_DIR,
    ClientsAtOnce,
    ClientsPerGpu,
    Debug,
    OutputDir,
)
from simulations.suite import run_suite


def suite(
    name: Annotated[str, typer.Argument(help="A shipped suite, or a .toml file.")],
    more_seeds: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,
    seeds: Annotated[
        list[str] | None, typer.Option("--seeds", help="Seeds, such as 1 2 3, for all its runs.")
    ] = None,
    output_dir: OutputDir = OUTPUT_DIR,
    clients_at_once: ClientsAtOnce = None,
    clients_per_gpu: ClientsPerGpu = None,
    debug: Debug = False,
) -> None:
    """Run each run of a suite with each seed, and tabulate the results."""
    # An option takes one word, so of `--seeds 1 2 3` the rest arrives as arguments.
    if more_seeds and not seeds:
        raise ConfigError(f"'{more_seeds[0]}' is not understood; write --seeds 1 2 3")
    words = [*(seeds or []), *(more_seeds or [])]
    code = run_suite(Console(), name, words, output_dir, clients_at_once, clients_per_gpu)
    raise typer.Exit(code)
