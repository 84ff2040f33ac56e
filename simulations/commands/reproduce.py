"""`fedmvp reproduce`: from a suite with published numbers to a page that sets ours beside them."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from fedmvp_core.config import OURS, PUBLISHED
from fedmvp_core.errors import ConfigError
from simulations.commands import completing
from simulations.commands.options import (
    OUTPUT_DIR,
    ClientsAtOnce,
    ClientsPerGpu,
    Debug,
    MoreSeeds,
    OutputDir,
    Overwrite,
    Root,
    Seeds,
    SmallEngine,
    chosen_seeds,
)
from simulations.console import Console


def reproduce(
    suite: Annotated[
        str,
        typer.Argument(
            help="A suite with published numbers: its name, or a .toml file.",
            autocompletion=completing.suites,
        ),
    ],
    more_seeds: MoreSeeds = None,
    root: Root = None,
    backbone: Annotated[
        str, typer.Option("--backbone", help="In place of the suite's: ViT-B-16, ...")
    ] = "",
    pretrained: Annotated[
        str, typer.Option("--pretrained", help="Its weights, in place of the suite's.")
    ] = "",
    seeds: Seeds = None,
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
    """Run a suite with all checks, and write a page beside its published numbers.

    The same command goes on where it was broken off.

    Example: fedmvp reproduce fedmvp-base-to-new --root data --backbone ViT-B-16
    --pretrained weights/ViT-B-16.pt --seeds 1 2 3
    """
    from simulations.suite.files import published_suite

    chosen = chosen_seeds(seeds, more_seeds)
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
    options = ReproduceOptions(
        suite=suite,
        runs=runs,
        backbone=backbone,
        pretrained=pretrained,
        protocol=protocol,
        only_check=only_check,
        other_counts=other_counts,
        command=_command(suite, given, other_counts, chosen),
    )
    raise typer.Exit(go_through(Console(highlight=False), options))


def _command(
    suite: str, given: Mapping[str, object], other_counts: bool, seeds: Sequence[int]
) -> str:
    """The command line that asks for the same, without what is at its default."""
    words = ["fedmvp", "reproduce", suite]
    for option, value in given.items():
        words += [option, str(value)] if value else []
    words += ["--other-counts"] if other_counts else []
    words += ["--seeds", *map(str, seeds)] if seeds else []
    return shlex.join(words)
