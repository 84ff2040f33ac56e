"""Runs a stress test: what is not done yet, one federation after the other, then the table."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from client_app.liars.data import BACKDOORS
from fedmvp_core.run_folder import METRICS, read_metrics, run_folder
from simulations.exit_codes import INTERRUPTED
from simulations.runner.results import final_accuracies
from simulations.stress.backdoor import backdoor_success
from simulations.stress.plans import NO_LIARS, StressRun
from simulations.stress.table import FederationResult, as_table, rows, verdicts, write_table
from simulations.suite.running import is_done, replacing, run_undone


def run_stress(
    console: Console, runs: Sequence[StressRun], output_dir: Path, overwrite: bool = False
) -> int:
    """Run what is not yet done, print and write the table; return the exit code.

    overwrite: replace runs of another configuration.

    Raises:
        ConfigError: there are some, and they may not be replaced; nothing has been started then.
    """
    plans = [replacing(run.plan, overwrite) for run in runs]
    titles = [
        f"{number} of {len(runs)}: {run.defence}, attack {run.attack}, "
        f"seed {run.plan.config.run.seed}"
        for number, run in enumerate(runs, start=1)
    ]
    code = run_undone(console, plans, titles)
    if code == INTERRUPTED:
        return code
    done = [run for run in runs if is_done(run.plan.config)]
    measured = [measure_run(run, without_liars(run, done)) for run in done]
    found, said = [*rows(measured)], [*verdicts(measured)]
    console.print(as_table(found, "accuracy with liars"))
    for sentence in said:
        console.print(sentence, soft_wrap=True)
    files = write_table(output_dir.absolute(), found, said)
    console.print(f"table: {' and '.join(map(str, files))}", soft_wrap=True)
    return code


def without_liars(run: StressRun, done: Sequence[StressRun]) -> Path | None:
    """The folder of the federation with the same defence and seed, in which nobody lied."""
    wanted = (NO_LIARS, run.defence, run.plan.config.run.seed)
    folders = {
        (one.attack, one.defence, one.plan.config.run.seed): run_folder(one.plan.config.run)
        for one in done
    }
    return folders.get(wanted)


def measure_run(run: StressRun, clean: Path | None) -> FederationResult:
    """What a completed run came to. clean: the same without liars, if it was run."""
    folder = run_folder(run.plan.config.run)
    _, accuracy = next(iter(final_accuracies(folder).values()))
    assert accuracy is not None, "a completed run was tested"
    backdoor = by_itself = None
    if run.attack in BACKDOORS:
        backdoor = backdoor_success(run.plan, folder)
        by_itself = backdoor_success(run.plan, clean) if clean else None
    seed = run.plan.config.run.seed
    refused = _refused(folder)
    return FederationResult(run.defence, run.attack, seed, accuracy, refused, backdoor, by_itself)


def _refused(folder: Path) -> int:
    recorded = read_metrics(folder / METRICS)
    return round(sum(value for _, _, metric, value in recorded if metric == "refused-replies"))
