"""`fedmvp alarm`: whether the robustness of a finished run is gradient masking."""

from typing import Annotated

import typer

from simulations.attack.plan import plan_alarm
from simulations.commands.options import (
    OUTPUT_DIR,
    DataDir,
    Debug,
    Device,
    Draws,
    ImagesOfSplit,
    Run,
    Splits,
)
from simulations.console import Console
from simulations.exit_codes import FAILED
from simulations.runner.results import find_run, read_config


def alarm(
    run: Run,
    epsilon: Annotated[
        str | None, typer.Option("--epsilon", help="The radius, such as 4/255. Default: the run's.")
    ] = None,
    steps: Annotated[
        int, typer.Option("--steps", min=2, help="Of the white box; a fifth of them beside it.")
    ] = 50,
    queries: Annotated[int, typer.Option("--queries", min=1, help="Of Square.")] = 1000,
    draws: Draws = 1,
    images: ImagesOfSplit = 100,
    split: Splits = None,
    zero_shot: Annotated[
        bool, typer.Option("--zero-shot/--no-zero-shot", help="Check the frozen model as well.")
    ] = True,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit code 1 if any check does not pass.")
    ] = False,
    batch_size: Annotated[
        int, typer.Option("--batch-size", min=1, max=256, help="Images attacked at once.")
    ] = 64,
    device: Device = "auto",
    data_dir: DataDir = None,
    debug: Debug = False,
) -> None:
    """Check a finished run for gradient masking.

    Example: fedmvp alarm demo --split base
    """
    folder = find_run(run, OUTPUT_DIR)
    spent = (steps, queries, draws, batch_size)
    plan = plan_alarm(read_config(folder), epsilon, spent, images, split or [], zero_shot, device)
    from simulations.attack.alarm import report_alarm

    rang = report_alarm(Console(), folder, plan, data_dir)
    if rang and strict:
        raise typer.Exit(FAILED)
