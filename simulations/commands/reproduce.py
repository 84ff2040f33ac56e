"""`fedmvp reproduce`: from a suite with published numbers to a page that sets ours beside them."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from fedmvp_core.config import OURS, PUBLISHED
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


def reproduce(
    suite: Annotated[
        str, typer.Argument(help="A suite with published numbers: its name, or a .toml file.")
    ],
    more_seeds: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,
    root: Annotated[
        Path | None,
        typer.Option("--root", help="The folder that holds the data sets' folders."),
    ] = None,
    backbone: Annotated[
        str, typer.Option("--backbone", help="In place of the suite's: ViT-B-16, ...")
    ] = "",
    pretrained: Annotated[
        str, typer.Option("--pretrained", help="Its weights, in place of the suite's.")
    ] = "",
    seeds: Annotated[
        list[str] | None, typer.Option("--seeds", help="Seeds, such as 1 2 3, for all its runs.")
    ] = None,
    protocol: Annotated[
        str, typer.Option("--protocol", help="published: the papers' values; ours: defaults.")
    ] = PUBLISHED,
    only_check: Annotated[
        bool, typer.Option("--only-check", help="Check data and weights, estimate, and stop.")
    ] = False,
    other_counts: Annotated[
        bool,
        typer.Option("--other-counts", help="Go on with data sets of other sizes than published."),
    ] = False,
    overwrite: Overwrite = False,
    output_dir: OutputDir = OUTPUT_DIR,
    clients_at_once: ClientsAtOnce = None,
    clients_per_gpu: ClientsPerGpu = None,
    engine: SmallEngine = "",
    debug: Debug = False,
) -> None:
    """Check data and weights, estimate, run a suite, and write a page beside published numbers.

    The same command goes on where it was broken off.

    Example: fedmvp reproduce fedmvp-base-to-new --root data --backbone ViT-B-16
    --pretrained weights/ViT-B-16.pt --seeds 1 2 3
    """
    from simulations.suite.files import parse_seeds, published_suite

    if more_seeds and not seeds:
        raise ConfigError(f"'{more_seeds[0]}' is not understood; write --seeds 1 2 3")
    chosen = parse_seeds([*(seeds or []), *(more_seeds or [])])
    if protocol not in (PUBLISHED, OURS):
        raise ConfigError(f"protocol is '{protocol}'; allowed: {PUBLISHED}, {OURS}")
    published_suite(suite)  # a misspelt one is told before torch is loaded
    from simulations.reproduce.asked import ReproduceOptions
    from simulations.reproduce.kit import reproduce as go_through
    from simulations.suite.running import SuiteOptions

    runs = SuiteOptions(
        output_dir=output_dir,
        seeds=chosen,
        root=root,
        resume=True,
        overwrite=overwrite,
        clients_at_once=clients_at_once,
        clients_per_gpu=clients_per_gpu,
        engine=engine,
    )
    given = {
        "--root": root,
        "--backbone": backbone,
        "--pretrained": pretrained,
        "--protocol": protocol if protocol != PUBLISHED else "",
        "--output-dir": output_dir if output_dir != OUTPUT_DIR else "",
        "--clients-at-once": clients_at_once,
        "--clients-per-gpu": clients_per_gpu,
        "--engine": engine,
    }
    words = ["fedmvp", "reproduce", suite]
    for option, value in given.items():
        words += [option, str(value)] if value else []
    words += ["--other-counts"] if other_counts else []
    words += ["--seeds", *map(str, chosen)] if chosen else []
    options = ReproduceOptions(
        suite=suite,
        runs=runs,
        backbone=backbone,
        pretrained=pretrained,
        protocol=protocol,
        only_check=only_check,
        other_counts=other_counts,
        command=shlex.join(words),
    )
    raise typer.Exit(go_through(Console(highlight=False), options))
