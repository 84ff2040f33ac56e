"""What common corruptions leave of a finished run: one table, as CSV and Markdown too."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from rich import box
from rich.console import Console
from rich.table import Table

from fedmvp_core.data.corruptions import SEVERITIES, corrupted
from fedmvp_core.data.settings import Evaluation
from fedmvp_core.data.typographic import misnamed
from fedmvp_core.disk import replace_text
from fedmvp_core.errors import ConfigError
from fedmvp_core.evaluation import EVALUATION_BATCH, predict_probabilities
from fedmvp_core.metrics.measures import measure
from fedmvp_core.metrics.names import headline
from fedmvp_core.run_folder import ATTACKS
from fedmvp_core.seeding import generator
from simulations.attack.plan import TYPOGRAPHIC, CorruptPlan
from simulations.attack.report import check_pictures, writing
from simulations.attack.run import TUNED, ZERO_SHOT, Target, chosen_evaluations, make_target
from simulations.runner.results import shown
from simulations.runner.saved_run import SavedRun, load_saved_run

STEM = "corruptions"
CLEAN, MEAN = "clean", "mean"
COLUMNS = ("split", "corruption", "severity", "round", "images", "zero_shot", "tuned")


@dataclass(frozen=True)
class CorruptRow:
    """One corruption at one severity (clean: 0): by "zero-shot" and "tuned", accuracy or mAP."""

    split: str
    corruption: str
    severity: int
    images: int
    left: dict[str, float]


def report_corruptions(
    console: Console, folder: Path, plan: CorruptPlan, data_dir: Path | None = None
) -> None:
    """Corrupt the test images, print what is left, leave it in the run folder below `attacks/`.

    Raises:
        ConfigError: no wrong class can be named, and the typographic attack was asked for.
        CheckpointError: the folder holds no usable checkpoint.
        OtherPicturesError: the splits are not those that the run was tested on.
        DataError: the run folder cannot be written.
    """
    with console.status("loading the run"):
        saved = load_saved_run(folder, plan.device, data_dir=data_dir)
        evaluations = chosen_evaluations(saved, plan.splits)
        check_pictures(saved, [evaluation.name for evaluation in evaluations])
        if TYPOGRAPHIC in plan.corruptions:
            _check_misnaming(evaluations)
    rows: list[CorruptRow] = []
    path = folder / ATTACKS / f"{STEM}.csv"
    with writing(path.parent), console.status("") as status:
        for evaluation in evaluations:
            target = make_target(saved, evaluation, plan.images, plan.zero_shot)
            for name, severity in _budget(plan.corruptions):
                status.update(f"{target.split}: {name} {severity or ''}")
                rows.append(_row(saved, target, name, severity))
            write_rows(path, rows, saved.round)
    metric = headline(saved.setting.train.multi_label)
    heads, lines = _table(rows)
    title = f"{folder.name}, round {saved.round}: {metric} by severity of corruption"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for place, head in enumerate(heads):
        table.add_column(head, justify="left" if place < 3 else "right", no_wrap=True)
    for line in lines:
        table.add_row(*line)
    console.print(table)
    for written in (path.with_suffix(".md"), path):
        console.print(str(written), soft_wrap=True, highlight=False, markup=False)


def _check_misnaming(evaluations: Sequence[Evaluation]) -> None:
    """Raises ConfigError where no wrong name can be written."""
    for split in evaluations:
        if split.images.multi_label or len(split.task.class_names) < 2:
            raise ConfigError(
                f"corruption '{TYPOGRAPHIC}' writes the name of another class; split "
                f"'{split.name}' has one class only, or several labels an image"
            )


def _budget(corruptions: Sequence[str]) -> Iterator[tuple[str, int]]:
    yield CLEAN, 0
    for name in corruptions:
        for severity in SEVERITIES:
            yield name, severity


def _row(saved: SavedRun, target: Target, name: str, severity: int) -> CorruptRow:
    """All models see the same corrupted images, of which one batch is held at a time."""
    labels, metric = target.images.labels, headline(target.images.multi_label)
    found = dict(target.probabilities)
    if severity:
        draws = generator(saved.config.run.seed, f"{name} {severity} of {target.split}")
        parts: dict[str, list[torch.Tensor]] = {model: [] for model in target.models}
        for rows in target.positions.split(EVALUATION_BATCH):
            images = _changed(target, rows, name, severity, draws)
            for model, prompting in target.models.items():
                answers = predict_probabilities(saved.backbone, prompting, target.task, images)
                parts[model].append(answers)
        found = {model: torch.cat(part) for model, part in parts.items()}
    left = {model: measure(answers, labels)[metric] for model, answers in found.items()}
    return CorruptRow(target.split, name, severity, len(target.images), left)


def _changed(
    target: Target, rows: torch.Tensor, name: str, severity: int, draws: torch.Generator
) -> torch.Tensor:
    """(rows, 3, size, size) uint8: images of a split, corrupted or misnamed."""
    images = target.images.images[rows]
    if name != TYPOGRAPHIC:
        return corrupted(images, name, severity, draws)
    names = target.task.task.spoken_names
    return misnamed(images, target.images.labels[rows], names, severity, draws)


def write_rows(path: Path, rows: Sequence[CorruptRow], round: int) -> None:
    """The rows as CSV (fractions) and, beside it, the table as Markdown (percent)."""
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(COLUMNS)
    for row in rows:
        left = (row.left.get(model, "") for model in (ZERO_SHOT, TUNED))
        writer.writerow((row.split, row.corruption, row.severity, round, row.images, *left))
    replace_text(path, stream.getvalue())
    heads, lines = _table(rows)
    rule = ("---",) * 3 + ("---:",) * (len(heads) - 3)
    text = "".join(f"| {' | '.join(line)} |\n" for line in (heads, rule, *lines))
    replace_text(path.with_suffix(".md"), text)


def _table(rows: Sequence[CorruptRow]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """A line for each split, corruption and model; the mean over all corruptions comes last."""
    heads = ("split", "corruption", "model", *map(str, SEVERITIES), MEAN)
    left = {
        (row.split, row.corruption, model, row.severity): value
        for row in rows
        for model, value in row.left.items()
    }
    lines = []
    for split in dict.fromkeys(row.split for row in rows):
        own = [row for row in rows if row.split == split]
        names = [name for name in dict.fromkeys(r.corruption for r in own) if name != CLEAN]
        for model in own[0].left:
            blank = ("",) * len(SEVERITIES)
            lines.append((split, CLEAN, model, *blank, shown(left[split, CLEAN, model, 0])))
        for name in names:
            for model in own[0].left:
                values = [left[split, name, model, severity] for severity in SEVERITIES]
                lines.append((split, name, model, *map(shown, values), shown(_mean(values))))
        for model in own[0].left:
            by_severity = [
                _mean([left[split, name, model, severity] for name in names])
                for severity in SEVERITIES
            ]
            every = (*map(shown, by_severity), shown(_mean(by_severity)))
            lines.append((split, MEAN, model, *every))
    return heads, lines


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
