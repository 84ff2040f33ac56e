"""`fedmvp corrupt`: what noise, blur and compression leave of a finished run."""

from typing import Annotated

import typer

from simulations.attack.plan import plan_corruptions
from simulations.commands.options import (
    OUTPUT_DIR,
    DataDir,
    Debug,
    Device,
    ImagesOfSplit,
    Run,
    Splits,
)
from simulations.console import Console
from simulations.runner.results import find_run


def corrupt(
    run: Run,
    corruptions: Annotated[
        list[str] | None,
        typer.Option("--corruption", help="Such as jpeg or typographic. Default: all but that."),
    ] = None,
    images: ImagesOfSplit = 500,
    split: Splits = None,
    zero_shot: Annotated[
        bool, typer.Option("--zero-shot/--no-zero-shot", help="Test the frozen model as well.")
    ] = True,
    device: Device = "auto",
    data_dir: DataDir = None,
    debug: Debug = False,
) -> None:
    """Test a finished run on corrupted images.

    Example: fedmvp corrupt demo --split base --corruption jpeg,contrast
    """
    folder = find_run(run, OUTPUT_DIR)
    plan = plan_corruptions(corruptions or [], images, split or [], zero_shot, device)
    from simulations.attack.corrupt import report_corruptions

    report_corruptions(Console(), folder, plan, data_dir)
