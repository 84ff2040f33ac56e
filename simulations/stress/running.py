"""Running a stress test: what is not done yet, one federation after the other, then the table."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from simulations.exit_codes import INTERRUPTED
from simulations.stress.plans import StressRun
from simulations.stress.table import as_table, measure_run, rows, write_table
from simulations.suite.running import is_done, run_undone


def run_stress(console: Console, runs: Sequence[StressRun], output_dir: Path) -> int:
    """Run what is not yet done, print and write the table; return the exit code."""
    titles = [
        f"{number} of {len(runs)}: {run.defence}, attack {run.attack}, "
        f"seed {run.plan.config.run.seed}"
        for number, run in enumerate(runs, start=1)
    ]
    code = run_undone(console, [run.plan for run in runs], titles)
    if code == INTERRUPTED:
        return code
    found = [*rows([measure_run(run) for run in runs if is_done(run.plan.config)])]
    console.print(as_table(found, "accuracy with liars"))
    files = write_table(output_dir.absolute(), found)
    console.print(f"table: {' and '.join(map(str, files))}", soft_wrap=True)
    return code
