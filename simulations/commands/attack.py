"""`fedmvp attack`: what stronger or other attacks leave of a finished run."""

from typing import Annotated

import typer

from fedmvp_core.errors import ConfigError
from simulations.attack.plan import plan_attack
from simulations.commands import completing
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
from simulations.runner.results import find_run, read_config


def attack(
    run: Run,
    more_epsilons: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,
    attacks: Annotated[
        list[str] | None,
        typer.Option(
            "--attack",
            help="An attack (fedmvp list); repeatable. Default: the run's.",
            autocompletion=completing.attacks,
        ),
    ] = None,
    epsilons: Annotated[
        list[str] | None,
        typer.Option("--epsilon", help="Radii, such as 1/255 4/255. Default: the run's."),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps", min=1, help="Iterations, queries of square. Default: the run's; square 1000."
        ),
    ] = None,
    draws: Draws = 1,
    defences: Annotated[
        list[str] | None,
        typer.Option("--defence", help="none, ttc or rtpt: attack through it; repeatable."),
    ] = None,
    images: ImagesOfSplit = 0,
    split: Splits = None,
    zero_shot: Annotated[
        bool, typer.Option("--zero-shot/--no-zero-shot", help="Attack the frozen model as well.")
    ] = True,
    batch_size: Annotated[
        int, typer.Option("--batch-size", min=1, max=256, help="Images attacked at once.")
    ] = 256,
    device: Device = "auto",
    data_dir: DataDir = None,
    debug: Debug = False,
) -> None:
    """Attack a finished run.

    Example: fedmvp attack demo --attack ensemble --epsilon 1/255
    """
    # An option takes one word, so of `--epsilon 1/255 4/255` the rest arrives as arguments.
    if more_epsilons and not epsilons:
        raise ConfigError(
            f"'{more_epsilons[0]}' is not understood; write --attack pgd --attack square, or "
            "--epsilon 1/255 4/255"
        )
    radii = [*(epsilons or []), *(more_epsilons or [])]
    folder = find_run(run, OUTPUT_DIR)
    chosen = (attacks or [], radii, steps, images, split or [])
    how = (zero_shot, batch_size, device, draws, defences or [])
    plan = plan_attack(read_config(folder), *chosen, *how)
    from simulations.attack.report import report_attacks

    report_attacks(Console(), folder, plan, data_dir)
