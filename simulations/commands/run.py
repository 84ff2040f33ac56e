"""`fedmvp run` and `fedmvp report`: one federation, its report and its final table."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from fedmvp_core.config import RunConfig, Scalar
from fedmvp_core.errors import ConfigError, FedMVPError
from fedmvp_core.run_folder import CHECKPOINTS
from server_app.callbacks.prometheus import metrics_endpoint
from simulations.commands.options import (
    OUTPUT_DIR,
    ClientsAtOnce,
    ClientsPerGpu,
    Debug,
    Run,
    RunWords,
)
from simulations.exit_codes import OF_STATUS
from simulations.runner.named_runs import (
    NamedRun,
    load_named_run,
    pretrained_parts,
    resolve_config,
    resolve_supernodes,
)
from simulations.runner.overrides import parse_overrides
from simulations.runner.progress import shown_progress
from simulations.runner.project import default_config
from simulations.runner.resources import Resources, choose_resources
from simulations.runner.results import final_table
from simulations.runner.run_folders import find_run
from simulations.runner.simulate import RunOutcome, run_simulation

logger = logging.getLogger(__name__)

DEFAULT_RUN = "demo"


class RunFailedError(FedMVPError):
    """The run ended without completing; its folder says more."""


def run(
    words: RunWords = None,
    supernodes: Annotated[
        int | None, typer.Option("--supernodes", help="How many clients to simulate.")
    ] = None,
    clients_at_once: ClientsAtOnce = None,
    clients_per_gpu: ClientsPerGpu = None,
    show: Annotated[bool, typer.Option("--open", help="Open the report in a browser.")] = False,
    report: Annotated[bool, typer.Option("--report/--no-report", help="Write report.html.")] = True,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything and start nothing.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Run one federation in simulation, for example: fedmvp run demo rounds=5 seed=2"""
    name, overrides = split_words(words or [])
    plan = plan_run(load_named_run(name), overrides, supernodes, clients_at_once, clients_per_gpu)
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


@dataclass(frozen=True)
class Plan:
    """A checked run: everything that can be wrong before it starts has been looked at."""

    config: RunConfig
    supernodes: int
    resources: Resources


def plan_run(
    run: NamedRun,
    overrides: dict[str, Scalar],
    supernodes: int | None = None,
    clients_at_once: int | None = None,
    clients_per_gpu: int | None = None,
) -> Plan:
    """Merge and check a run; raises ConfigError."""
    config = resolve_config(run, overrides)
    nodes = resolve_supernodes(run, overrides, config, supernodes)
    resources = choose_resources(nodes, config.model.device, clients_at_once, clients_per_gpu)
    _check_paths(config)
    with metrics_endpoint(config):  # this machine is the server's, so its port can be tried
        return Plan(config, nodes, resources)


def _check_paths(config: RunConfig) -> None:
    """Look before the run folder is cleared: a wrong path must not cost an earlier run."""
    values = [("pretrained", part) for part in pretrained_parts(config.model.pretrained)]
    for key, value in [*values, ("attributes", config.data.attributes)]:
        if Path(value).is_absolute() and not Path(value).is_file():
            raise ConfigError(f"{key} is '{value}'; there is no such file")
    if config.data.data_dir and not Path(config.data.data_dir).is_dir():
        raise ConfigError(f"data-dir is '{config.data.data_dir}'; there is no such folder")


def split_words(words: Sequence[str]) -> tuple[str, dict[str, Scalar]]:
    """The run's name (the first word, unless it is a KEY=VALUE) and the overrides."""
    named = bool(words) and "=" not in words[0]
    name, rest = (words[0], words[1:]) if named else (DEFAULT_RUN, words)
    return name, parse_overrides(rest, default_config())


def run_plan(plan: Plan, console: Console) -> RunOutcome:
    """Run it, showing its progress."""
    with shown_progress(console, plan.config) as on_event:
        return run_simulation(plan.config, plan.supernodes, plan.resources, on_event)


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
