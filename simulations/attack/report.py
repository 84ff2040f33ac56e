"""Attacks a finished run, and writes what is left of its accuracy: tables and pictures."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from torch import Tensor

from fedmvp_core.defences import check_defence
from fedmvp_core.errors import DataError
from fedmvp_core.metrics.names import headline
from fedmvp_core.run_folder import ATTACKS
from server_app.start_checks import check_attack
from simulations.attack.by_class import ClassRow, class_rows, write_class_rows
from simulations.attack.curve import area_table, curves, write_curves
from simulations.attack.drawing import draw_examples
from simulations.attack.names import AttackName
from simulations.attack.plan import AttackPlan
from simulations.attack.run import (
    Attacked,
    AttackRow,
    OnWork,
    Target,
    attack_row,
    attack_target,
    chosen_evaluations,
    make_target,
)
from simulations.attack.summary import SummaryRows, summary_rows
from simulations.attack.tables import rich_table, write_table
from simulations.attack.worst_case import worst_row
from simulations.report.attacked import CANDIDATES, AttackedExample, candidates, examples_of
from simulations.runner.errors import OtherPicturesError
from simulations.runner.saved_run import SavedRun, load_saved_run, told

logger = logging.getLogger(__name__)

SHOWN = 3  # pictures of each split
CLASSES = "-classes.csv"  # ends the name of the table with a row a class
# (split, epsilon, defence) -> model -> (n, classes) under each attack
_Answers: TypeAlias = dict[tuple[str, str, str], dict[str, list[Tensor]]]


def report_attacks(
    console: Console, folder: Path, plan: AttackPlan, data_dir: Path | None = None
) -> Path:
    """Attack, print the table, leave it and pictures in the run folder below `attacks/`.

    Returns: the path of the table, a CSV file.

    data_dir: where the run's pictures are now, if they were moved.

    Raises:
        CheckpointError: the folder holds no usable checkpoint.
        OtherPicturesError: the splits are not those that the run was tested on.
        AttackError: an attack cannot work here; what was found before is kept.
        DataError: the run folder cannot be written.
    """
    with console.status("loading the run"):
        saved = load_saved_run(folder, plan.device, data_dir=data_dir)
        evaluations = chosen_evaluations(saved, plan.splits)
        check_pictures(saved, [evaluation.name for evaluation in evaluations])
        for name in plan.names:
            check_attack(name.attack, evaluations, "attack")
            check_defence(name.defence, saved.prompting, saved.setting.train.multi_label)
        targets = {
            defence: [
                make_target(saved, e, plan.images, plan.zero_shot, defence) for e in evaluations
            ]
            for defence in dict.fromkeys(name.defence for name in plan.names)
        }
        means = summary_rows(saved, evaluations)
    table = folder / ATTACKS / f"{plan.file_stem()}.csv"
    attacked = [target for name in plan.names for target in targets[name.defence]]
    total = sum(len(target.images) * len(target.models) for target in attacked)
    with writing(table.parent), _watched(console, total) as watch:
        rows, written = _attack_all(saved, plan, targets, means, table, watch)
        if found_curves := curves(rows):
            written += write_curves(table.with_suffix(""), found_curves)
    metric = headline(saved.setting.train.multi_label)
    console.print(rich_table(rows, f"{folder.name}, round {saved.round}: {metric}"))
    if len(several := _attacks_of(plan)) > 1:
        words = f"worst-case: of {', '.join(several)}, image by image"
        console.print(words, soft_wrap=True, highlight=False, markup=False)
    if found_curves:
        console.print(area_table(found_curves))
    for path in (table.with_suffix(".md"), table, *written):
        console.print(str(path), soft_wrap=True, highlight=False, markup=False)
    return table


def _attacks_of(plan: AttackPlan) -> list[str]:
    """The attacks of a plan, whatever radius and defence they meet."""
    return list(dict.fromkeys(replace(name, defence="").short for name in plan.names))


def _attack_all(
    saved: SavedRun,
    plan: AttackPlan,
    targets: Mapping[str, Sequence[Target]],
    means: SummaryRows,
    table: Path,
    watch: Callable[[str], OnWork],
) -> tuple[list[AttackRow], list[Path]]:
    """All rows, in the table after each, and the pictures that were written.

    targets: by defence.
    """
    rows: list[AttackRow] = []
    written: list[Path] = []
    answers: _Answers = {}
    of_classes: list[ClassRow] = []
    for name in plan.names:
        examples: list[AttackedExample] = []
        for target in targets[name.defence]:
            left, pictures = _attack(saved, target, name, plan, watch)
            rows.append(attack_row(target, name, left))
            of_classes += class_rows(target, name, left)
            examples += pictures
            of_one = answers.setdefault((target.split, name.epsilon, name.defence), {})
            for model, found in left.items():
                of_one.setdefault(model, []).append(found.probabilities)
            write_table(table, rows, saved.round)
        rows += means(rows[-len(targets[name.defence]) :])
        write_table(table, rows, saved.round)
        if examples:
            written.append(table.with_name(f"{plan.file_stem([name])}.png"))
            draw_examples(written[-1], name, examples)
    if len(_attacks_of(plan)) > 1:
        for case in dict.fromkeys((name.epsilon, name.defence) for name in plan.names):
            worst = [worst_row(t, *case, answers[t.split, *case]) for t in targets[case[1]]]
            rows += [*worst, *means(worst)]
        write_table(table, rows, saved.round)
    if of_classes:
        written.append(write_class_rows(table.with_name(f"{table.stem}{CLASSES}"), of_classes))
    return rows, written


def check_pictures(saved: SavedRun, splits: Sequence[str]) -> None:
    """Refuse splits that are others now: beside the run's numbers theirs would say nothing.

    Raises:
        OtherPicturesError: one is.
    """
    if said := told(saved, splits):
        raise OtherPicturesError(f"{said}; give the place of the others: --data-dir DIR")
    if said := told(saved):
        logger.warning("%s; what is attacked is the same", said)


def _attack(
    saved: SavedRun,
    target: Target,
    name: AttackName,
    plan: AttackPlan,
    watch: Callable[[str], OnWork],
) -> tuple[dict[str, Attacked], list[AttackedExample]]:
    """One attack on one split, against every model in turn."""
    kept = candidates(target, CANDIDATES * SHOWN)
    attacked: dict[str, Attacked] = {}
    for model in target.models:
        on_work = watch(f"{target.split}, {model}, {name.label}")
        budget = (plan.batch_size, on_work, plan.draws)
        attacked[model] = attack_target(saved, target, model, name, kept, *budget)
    if len(target.task.task.class_names) == 1:
        return attacked, []
    return attacked, examples_of(target, name, attacked, kept, SHOWN)


@contextmanager
def _watched(console: Console, total: int) -> Iterator[Callable[[str], OnWork]]:
    """A progress bar: the function takes what is attacked next and returns its OnWork."""
    progress = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("images attacked"),
        TextColumn("{task.fields[passed]}", markup=False),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    passed = 0

    def begin(words: str) -> OnWork:
        progress.update(task, description=words)
        if not console.is_terminal:
            console.print(f"attacking {words}", soft_wrap=True, highlight=False, markup=False)
        return advance

    def advance(through: int, finished: int) -> None:
        nonlocal passed
        passed += through  # shows progress while the first batch takes minutes
        progress.update(task, advance=finished, passed=f"{passed:,} through the model")

    with progress:
        task = progress.add_task("", total=total, passed="")
        yield begin


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn an OSError into a DataError that names the folder."""
    try:
        yield
    except OSError as error:
        raise DataError(f"'{folder}' cannot be written: {error.strerror or error}") from None
