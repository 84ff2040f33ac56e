"""`fedmvp run` and `fedmvp report`: one federation, its report and its final table."""

from typing import Annotated

import typer

from simulations.commands.options import (
    OUTPUT_DIR,
    ClientsAtOnce,
    ClientsPerGpu,
    DataDir,
    Debug,
    Engine,
    Overwrite,
    RayAddress,
    Run,
    RunWords,
)
from simulations.commands.replacing import with_consent
from simulations.console import Console
from simulations.runner.planning import DEFAULT_RUN, RAY, named_by, plan_run
from simulations.runner.reporting import open_page, run_plan, show_outcome, write_page
from simulations.runner.results import find_run


def run(
    words: RunWords = None,
    supernodes: Annotated[
        int | None, typer.Option("--supernodes", help="How many clients to simulate.")
    ] = None,
    clients_at_once: ClientsAtOnce = None,
    clients_per_gpu: ClientsPerGpu = None,
    engine: Engine = RAY,
    ray_address: RayAddress = None,
    show: Annotated[bool, typer.Option("--open", help="Open the report in a browser.")] = False,
    report: Annotated[bool, typer.Option("--report/--no-report", help="Write report.html.")] = True,
    overwrite: Overwrite = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything and start nothing.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Run one federation in simulation.

    Example: fedmvp run demo rounds=5 seed=2
    """
    named, overrides = named_by(words or [])
    resources = (clients_at_once, clients_per_gpu, engine, ray_address)
    plan = plan_run(named, overrides, supernodes, *resources)
    console = Console()
    plan = with_consent(plan, overwrite, dry_run)
    if dry_run:
        from simulations.runner.dry_run import show_dry_run

        show_dry_run(plan, console)
        return
    outcome = run_plan(plan, console)
    raise typer.Exit(show_outcome(outcome, plan.config, console, report, show))


def demo(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="Run-config keys, such as rounds=5."),
    ] = None,
    engine: Engine = RAY,
    show: Annotated[bool, typer.Option("--open", help="Open the report in a browser.")] = False,
    debug: Debug = False,
) -> None:
    """Run the demo, in the place of its last run: the same as fedmvp run demo --overwrite.

    Example: fedmvp demo rounds=2 --open
    """
    run([DEFAULT_RUN, *(words or [])], engine=engine, show=show, overwrite=True)


def report(
    run: Run,
    show: Annotated[bool, typer.Option("--open", help="Open it in a browser.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Write the report of a run again.

    Example: fedmvp report demo --open
    """
    page = write_page(find_run(run, OUTPUT_DIR), data_dir)
    Console().print(f"report: {page}", soft_wrap=True)
    if show:
        open_page(page)
