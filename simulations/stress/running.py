"""Runs a stress test: what is not done yet, one federation after the other, then the table."""

from collections.abc import Sequence
from pathlib import Path

import torch
from rich.console import Console

from client_app.liars import stamped
from fedmvp_core.evaluation import predict_probabilities
from fedmvp_core.run_folder import METRICS, read_metrics, run_folder
from fedmvp_core.tasks import encode_task
from simulations.exit_codes import INTERRUPTED
from simulations.runner.results import final_accuracies
from simulations.runner.saved_run import load_saved_run
from simulations.stress.plans import StressRun
from simulations.stress.table import FederationResult, as_table, rows, write_table
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
    found = [*rows([measure_run(run) for run in runs if is_done(run.plan.config)])]
    console.print(as_table(found, "accuracy with liars"))
    files = write_table(output_dir.absolute(), found)
    console.print(f"table: {' and '.join(map(str, files))}", soft_wrap=True)
    return code


def measure_run(run: StressRun) -> FederationResult:
    """What a completed run came to."""
    folder = run_folder(run.plan.config.run)
    _, accuracy = next(iter(final_accuracies(folder).values()))
    assert accuracy is not None, "a completed run was tested"
    backdoor = backdoor_success(folder) if run.attack == "backdoor" else None
    seed = run.plan.config.run.seed
    return FederationResult(run.defence, run.attack, seed, accuracy, _refused(folder), backdoor)


def _refused(folder: Path) -> int:
    recorded = read_metrics(folder / METRICS)
    return round(sum(value for _, _, metric, value in recorded if metric == "refused-replies"))


def backdoor_success(folder: Path) -> float:
    """The share of the test images of other classes, marked, that are taken for the first class.

    Raises:
        CheckpointError: the folder holds no usable run.
    """
    saved = load_saved_run(folder)
    split = saved.setting.evaluations[0]
    target = split.task.class_names.index(saved.setting.train.class_names[0])
    others = torch.nonzero(split.images.labels != target).flatten()
    pictures = stamped(split.images.images[others])
    task = encode_task(saved.backbone, split.task, saved.cache)
    found = predict_probabilities(saved.backbone, saved.prompting, task, pictures)
    return float((found.argmax(dim=1) == target).double().mean())
