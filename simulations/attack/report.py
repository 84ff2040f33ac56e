"""Attacks a finished run, and writes what is left of its accuracy: tables and pictures."""

import csv
import io
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from fedmvp_core.disk import replace_text
from fedmvp_core.errors import DataError
from fedmvp_core.metrics.names import headline
from fedmvp_core.run_folder import ATTACKS
from server_app.start_checks import check_attack
from simulations.attack.drawing import draw_examples
from simulations.attack.names import AttackName
from simulations.attack.plan import AttackPlan
from simulations.attack.run import (
    TUNED,
    ZERO_SHOT,
    Attacked,
    AttackRow,
    OnWork,
    Target,
    attack_row,
    attack_target,
    chosen_evaluations,
    make_target,
)
from simulations.report.attacked import CANDIDATES, AttackedExample, candidates, examples_of
from simulations.runner.errors import OtherPicturesError
from simulations.runner.results import shown
from simulations.runner.saved_run import SavedRun, load_saved_run, told

logger = logging.getLogger(__name__)

SHOWN = 3  # pictures of each split
# The accuracies: (column, model, under attack?).
ACCURACIES = tuple(
    (f"{model} {kind}", model, kind == "robust")
    for model in (ZERO_SHOT, TUNED)
    for kind in ("clean", "robust")
)
COLUMNS = (
    *("split", "attack", "steps", "epsilon", "round", "images"),
    *(name.replace("-", "_").replace(" ", "_") for name, _, _ in ACCURACIES),
)


def report_attacks(
    console: Console, folder: Path, plan: AttackPlan, data_dir: Path | None = None
) -> None:
    """Attack, print the table, leave it and pictures in the run folder below `attacks/`.

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
        targets = [make_target(saved, e, plan.images, plan.zero_shot) for e in evaluations]
    rows: list[AttackRow] = []
    table = folder / ATTACKS / f"{plan.file_stem()}.csv"
    written = []
    total = sum(len(target.images) * len(target.models) for target in targets) * len(plan.names)
    with writing(table.parent), _watched(console, total) as watch:
        for name in plan.names:
            examples: list[AttackedExample] = []
            for target in targets:
                row, pictures = _attack(saved, target, name, plan, watch)
                rows.append(row)
                examples += pictures
                write_table(table, rows, saved.round)
            if examples:
                written.append(table.with_name(f"{plan.file_stem([name])}.png"))
                draw_examples(written[-1], name, examples)
    metric = headline(saved.setting.train.multi_label)
    console.print(rich_table(rows, f"{folder.name}, round {saved.round}: {metric}"))
    for path in (table.with_suffix(".md"), table, *written):
        console.print(str(path), soft_wrap=True, highlight=False, markup=False)


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
) -> tuple[AttackRow, list[AttackedExample]]:
    """One attack on one split, against every model in turn."""
    kept = candidates(target, CANDIDATES * SHOWN)
    attacked: dict[str, Attacked] = {}
    for model in target.models:
        on_work = watch(f"{target.split}, {model}, {name.label}")
        budget = (plan.batch_size, on_work, plan.draws)
        attacked[model] = attack_target(saved, target, model, name, kept, *budget)
    row = attack_row(target, name, attacked)
    if len(target.task.task.class_names) == 1:
        return row, []
    return row, examples_of(target, name, attacked, kept, SHOWN)


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


def write_table(path: Path, rows: Sequence[AttackRow], round: int) -> None:
    """The rows so far as CSV (fractions) and, beside it, as Markdown (percent)."""
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(COLUMNS)
    for row in rows:
        name = row.attack
        facts = (row.split, name.attack, name.counted_steps, name.epsilon, round, row.images)
        writer.writerow((*facts, *("" if v is None else v for v in _accuracies(row))))
    replace_text(path, stream.getvalue())
    heads = ("split", "attack", "epsilon", "images", *(name for name, _, _ in ACCURACIES))
    rule = ("---", "---", *("---:" for _ in heads[2:]))
    lines = (heads, rule, *(_cells(row) for row in rows))
    replace_text(path.with_suffix(".md"), "".join(f"| {' | '.join(line)} |\n" for line in lines))


def rich_table(rows: Sequence[AttackRow], title: str) -> Table:
    """The rows for a terminal; a model that was not attacked has no columns."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.collapse_padding = True  # so that the names fit 80 columns
    for head in ("split", "attack"):
        table.add_column(head, overflow="fold")  # a name that is cut short names nothing
    shown_models = {model for row in rows for model in row.robust}
    wanted = [model in shown_models for _, model, _ in ACCURACIES]
    heads = [name.replace(" ", "\n") for name, _, _ in ACCURACIES]
    for head in ("epsilon", "images", *(h for h, w in zip(heads, wanted, strict=True) if w)):
        table.add_column(head, justify="right", no_wrap=True)
    for row in rows:
        *facts, first, second, third, fourth = _cells(row)
        values = zip((first, second, third, fourth), wanted, strict=True)
        table.add_row(*facts, *(value for value, w in values if w))
    return table


def _cells(row: AttackRow) -> tuple[str, ...]:
    name = row.attack
    facts = (row.split, name.short, name.epsilon, f"{row.images:,}")
    return (*facts, *(shown(value) for value in _accuracies(row)))


def _accuracies(row: AttackRow) -> list[float | None]:
    """In the order of ACCURACIES; None where a model was not attacked."""
    return [(row.robust if attacked else row.clean).get(model) for _, model, attacked in ACCURACIES]
