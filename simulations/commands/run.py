"""`fedmvp run` and `fedmvp report`: one federation, its report and its final table."""

import logging
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from fedmvp_core.config import RunConfig
from fedmvp_core.errors import ConfigError, FedMVPError
from fedmvp_core.run_folder import CHECKPOINTS
from simulations.commands.options import (
    OUTPUT_DIR,
    ClientsAtOnce,
    ClientsPerGpu,
    Debug,
    Engine,
    Run,
    RunWords,
)
from simulations.exit_codes import OF_STATUS
from simulations.runner.named_runs import load_named_run
from simulations.runner.planning import RAY, Plan, plan_run, run_plan, split_words
from simulations.runner.results import final_table
from simulations.runner.run_folders import find_run
from simulations.runner.simulate import RunOutcome

logger = logging.getLogger(__name__)


class RunFailedError(FedMVPError):
    """The run ended without completing; its folder says more."""


def run(
    words: RunWords = None,
    supernodes: Annotated[
        int | None, typer.Option("--supernodes", help="How many clients to simulate.")
    ] = None,
    clients_at_once: ClientsAtOnce = None,
    clients_per_gpu: ClientsPerGpu = None,
    engine: Engine = RAY,
    show: Annotated[bool, typer.Option("--open", help="Open the report in a browser.")] = False,
    report: Annotated[bool, typer.Option("--report/--no-report", help="Write report.html.")] = True,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything and start nothing.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Run one federation in simulation, for example: fedmvp run demo rounds=5 seed=2"""
    name, overrides = split_words(words or [])
    wished = (supernodes, clients_at_once, clients_per_gpu, engine)
    plan = plan_run(load_named_run(name), overrides, *wished)
    if dry_run:
        dry_run_command(plan, Console())
    else:
        raise typer.Exit(run_command(plan, Console(), report, show))


def report(
    run: Run,
    show: Annotated[bool, typer.Option("--open", help="Open it in a browser.")] = False,
) -> None:
    """Write the report of a run again."""
    page = write_page(find_run(run, OUTPUT_DIR))
    Console().print(f"report: {page}", soft_wrap=True)
    if show:
        open_page(page)


def run_command(plan: Plan, console: Console, report: bool, show: bool) -> int:
    """Run, report, print the final table; return the exit code."""
    return show_outcome(run_plan(plan, console), plan.config, console, report, show)


def show_outcome(
    outcome: RunOutcome, config: RunConfig, console: Console, report: bool, show: bool
) -> int:
    """Say how a run ended, with its final table and report; return the exit code.

    Raises:
        RunFailedError: it failed.
    """
    if outcome.status == "interrupted":
        console.print(
            f"interrupted after {outcome.rounds_completed} of {config.federation.rounds} rounds; "
            f"what was done is in {outcome.folder}",
            soft_wrap=True,
        )
    elif outcome.status == "failed":
        raise RunFailedError(outcome.error or f"the run failed; see {outcome.folder}")
    else:
        console.print(final_table(outcome.folder))
        with console.status("writing the report"):
            page = write_page(outcome.folder) if report else None
        console.print(
            f"{'report' if page else 'run folder'}: {page or outcome.folder}", soft_wrap=True
        )
        if page and show:
            open_page(page)
    return OF_STATUS[outcome.status]


def dry_run_command(plan: Plan, console: Console) -> None:
    """Say what the run would be; raises ConfigError when it could not be."""
    from simulations.commands.shards import print_shards
    from simulations.runner.dry_run import look, run_table

    try:
        with console.status("loading weights and data"):
            found = look(plan.config, plan.supernodes)
    except FedMVPError as error:  # whatever it is, it is so before anything began
        raise ConfigError(str(error)) from error
    print_shards(console, found.shards, found.setting, plan.config)
    console.print(run_table(plan.config, found, plan.resources.clients_at_once))


def write_page(folder: Path) -> Path:
    """Write the report of a run folder and return its path.

    A run that stopped before its first checkpoint has a report without examples.
    """
    from server_app.records.checkpoints import latest_round
    from simulations.report import write_report
    from simulations.runner.saved_run import load_saved_run

    stopped_early = latest_round(folder / CHECKPOINTS) is None
    return write_report(folder, None if stopped_early else load_saved_run(folder))


def open_page(page: Path) -> None:
    """Show a page in the user's browser, if there is one."""
    import webbrowser

    webbrowser.open(page.as_uri())
