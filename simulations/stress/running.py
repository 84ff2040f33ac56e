"""Running a stress test: what is not done yet, one federation after the other, then the table."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from simulations.commands.run import run_plan
from simulations.exit_codes import INTERRUPTED, OF_STATUS
from simulations.stress.plans import StressRun
from simulations.stress.table import as_table, measure_run, rows, write_table
from simulations.suite import is_done


def run_stress(console: Console, runs: Sequence[StressRun], output_dir: Path) -> int:
    """Run what is not yet done, print and write the table; return the exit code."""
    code = 0
    for number, run in enumerate(runs, start=1):
        config = run.plan.config
        console.rule(f"{number} of {len(runs)}: {run.defence}, attack {run.attack}")
        if is_done(config):
            console.print(f"{config.run_name} is done already", soft_wrap=True)
            continue
        outcome = run_plan(run.plan, console)
        code = code or OF_STATUS[outcome.status]
        if outcome.error:
            console.print(f"{config.run_name}: {outcome.error}", soft_wrap=True, markup=False)
        if outcome.status == "interrupted":
            return INTERRUPTED
    found = [*rows([measure_run(run) for run in runs if is_done(run.plan.config)])]
    console.print(as_table(found, "accuracy with liars"))
    files = write_table(output_dir.absolute(), found)
    console.print(f"table: {' and '.join(map(str, files))}", soft_wrap=True)
    return code
