"""Whether a run may take the place of an earlier one of its name: `--overwrite`, or a question."""

import sys
from dataclasses import replace

import typer

from fedmvp_core.replaced_run import check_replaceable, held_run, is_worth_keeping
from fedmvp_core.run_folder import run_folder
from simulations.runner.planning import Plan


def with_consent(plan: Plan, overwrite: bool, dry_run: bool = False) -> Plan:
    """The plan, with leave to replace an earlier run if that was given.

    On a terminal the user is asked; a dry run asks nothing, and shows what would be replaced.

    Raises:
        ConfigError: there is a run worth keeping, and no leave.
    """
    run = plan.config.run
    folder = run_folder(run)
    if overwrite or run.overwrite:
        return _replacing(plan)
    if run.resume or not is_worth_keeping(folder):
        return plan
    if on_terminal() and (
        dry_run or typer.confirm(f"{folder} holds {held_run(folder)}. Replace it?")
    ):
        return _replacing(plan)
    check_replaceable(folder, overwrite=False)
    return plan


def on_terminal() -> bool:
    """Whether somebody is there to be asked."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def _replacing(plan: Plan) -> Plan:
    return replace(plan, config=plan.config.with_values(overwrite=True))
