"""`fedmvp stress`: federations with liars, and what each defence leaves of the accuracy."""

from pathlib import Path
from typing import Annotated

import typer

from simulations.commands.options import ClientsAtOnce, Debug, Overwrite, SmallEngine
from simulations.console import Console

OUTPUT_DIR = Path("runs/stress")


def stress(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="Run-config keys, for all federations."),
    ] = None,
    attacks: Annotated[
        list[str] | None,
        typer.Option(
            "--attack",
            help="sign-flip, noise, label-flip, backdoor, nan, replay, lie, min-max, min-sum, ipm, "
            "sybils, backdoor-patch, backdoor-blended or backdoor-clean-label; repeatable. "
            "Default: sign-flip.",
        ),
    ] = None,
    defences: Annotated[
        list[str] | None,
        typer.Option(
            "--defence", help="A strategy, or 'fedavg, checked'; repeatable. Default: all."
        ),
    ] = None,
    fraction: Annotated[
        float, typer.Option("--fraction", min=0.0, max=0.49, help="Share of the clients that lie.")
    ] = 0.2,
    supernodes: Annotated[
        int, typer.Option("--supernodes", min=1, help="Clients; bulyan needs 4 x liars + 3.")
    ] = 15,
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="Of each federation.")] = 3,
    seeds: Annotated[
        list[int] | None,
        typer.Option("--seed", help="Repeatable: the table then shows means. Default: `seed`."),
    ] = None,
    output_dir: Annotated[
        Path, typer.Option("--output-dir", help="The folder of the runs and of the table.")
    ] = OUTPUT_DIR,
    clients_at_once: ClientsAtOnce = None,
    overwrite: Overwrite = False,
    engine: SmallEngine = "",
    debug: Debug = False,
) -> None:
    """Run the federation with liars, with and without each defence.

    Example: fedmvp stress --attack noise --defence krum --rounds 1
    """
    from simulations.runner.overrides import parse_overrides
    from simulations.runner.project import default_config
    from simulations.stress.plans import plan_stress

    runs = plan_stress(
        attacks=attacks or ["sign-flip"],
        defences=defences or [],
        overrides=parse_overrides(words or [], default_config()),
        fraction=fraction,
        supernodes=supernodes,
        rounds=rounds,
        seeds=seeds or [],
        output_dir=output_dir,
        clients_at_once=clients_at_once,
        engine=engine,
    )
    from simulations.stress.running import run_stress  # with torch

    raise typer.Exit(run_stress(Console(), runs, output_dir, overwrite))
