"""Checks a finished run for gradient masking: a table, and alarm.md, .csv and .json beside it."""

import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from rich import box
from rich.console import Console
from rich.table import Table

from fedmvp_core.adversarial.alarm import Finding, masking_findings
from fedmvp_core.adversarial.perturbation import attack_mode
from fedmvp_core.backbone.transfer import move_images
from fedmvp_core.disk import replace_text
from fedmvp_core.errors import AttackError
from fedmvp_core.evaluation import logits_function
from fedmvp_core.run_folder import ATTACKS
from simulations.attack.plan import AlarmPlan
from simulations.attack.report import check_pictures, writing
from simulations.attack.run import ZERO_SHOT, Target, chosen_evaluations, make_target
from simulations.runner.saved_run import SavedRun, load_saved_run

STEM = "alarm"
COLUMNS = ("split", "model", "check", "passed", "measured", "threshold", "numbers", "expects")
_VERDICT = {True: "passed", False: "ALARM", None: "not checked"}


@dataclass(frozen=True)
class AlarmRow:
    """One check of one model on one split."""

    split: str
    model: str
    finding: Finding


def report_alarm(
    console: Console, folder: Path, plan: AlarmPlan, data_dir: Path | None = None
) -> int:
    """Check every model on every split; print and write what was found.

    Returns:
        How many checks did not pass.

    Raises:
        CheckpointError: the folder holds no usable checkpoint.
        OtherPicturesError: the splits are not those that the run was tested on.
        AttackError: the checks cannot work here.
        DataError: the run folder cannot be written.
    """
    with console.status("loading the run"):
        saved = load_saved_run(folder, plan.device, data_dir=data_dir)
        evaluations = chosen_evaluations(saved, plan.splits)
        check_pictures(saved, [evaluation.name for evaluation in evaluations])
    for evaluation in evaluations:
        if len(evaluation.task.class_names) == 1:
            raise AttackError(f"split '{evaluation.name}' has one class: no wrong one to aim at")
    rows: list[AlarmRow] = []
    with writing(folder / ATTACKS):
        for evaluation in evaluations:
            target = make_target(saved, evaluation, plan.images, plan.zero_shot)
            for model in target.models:
                found = _check(console, saved, target, model, plan)
                rows += [AlarmRow(target.split, model, finding) for finding in found]
            write_alarm(folder / ATTACKS, rows, saved.round, plan)
    rang = sum(row.finding.passed is False for row in rows)
    console.print(rich_table(rows, f"{folder.name}, round {saved.round}: masking, {_asked(plan)}"))
    console.print(_verdict(rows, rang), soft_wrap=True, highlight=False)
    for ending in ("md", "csv", "json"):
        path = folder / ATTACKS / f"{STEM}.{ending}"
        console.print(str(path), soft_wrap=True, highlight=False, markup=False)
    return rang


def _check(
    console: Console, saved: SavedRun, target: Target, model: str, plan: AlarmPlan
) -> list[Finding]:
    device = saved.backbone.device
    images = move_images(target.images.images, device).float() / 255
    labels = target.images.labels.to(device)
    frozen = None
    with attack_mode(saved.prompting), console.status("") as status:
        judged = logits_function(saved.backbone, target.models[model], target.task)
        if model != ZERO_SHOT:
            frozen = logits_function(saved.backbone, None, target.task)
        words = f"checking {target.split}, {model}"
        if not console.is_terminal:
            console.print(words, soft_wrap=True, highlight=False, markup=False)
        try:
            return masking_findings(
                judged,
                images,
                labels,
                plan.budget,
                frozen,
                on_check=lambda check: status.update(f"{words}: {check}"),
            )
        except torch.OutOfMemoryError:
            raise AttackError(
                f"{device} has too little memory for batches of {plan.budget.batch_size} images; "
                "a smaller batch-size helps"
            ) from None


def write_alarm(folder: Path, rows: Sequence[AlarmRow], round: int, plan: AlarmPlan) -> None:
    """alarm.csv and alarm.json (fractions), and alarm.md, replaced as a whole."""
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(COLUMNS)
    for row in rows:
        found = row.finding
        values = ("" if math.isnan(found.measured) else found.measured, found.threshold)
        verdict = "" if found.passed is None else str(found.passed).lower()
        facts = (row.split, row.model, found.check, verdict)
        writer.writerow((*facts, *values, _numbers(found), found.expects))
    replace_text(folder / f"{STEM}.csv", stream.getvalue())
    heads = ("split", "model", "check", "", "measured", "at most", "numbers")
    lines = [heads, ("---",) * len(heads), *(_cells(row) for row in rows)]
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    expected = "".join(f"- `{name}`: {words}\n" for name, words in _expected(rows).items())
    title = f"Gradient masking, round {round}, {_asked(plan)}\n\n"
    replace_text(folder / f"{STEM}.md", f"{title}{table}\n{expected}")
    budget = asdict(plan.budget) | {"epsilon": plan.epsilon, "images": plan.images}
    found_rows = [
        {"split": row.split, "model": row.model, "passed": row.finding.passed}
        | {name: _finite(value) for name, value in asdict(row.finding).items()}
        for row in rows
    ]
    content = {"round": round, "budget": budget, "findings": found_rows}
    replace_text(folder / f"{STEM}.json", json.dumps(content, indent=2) + "\n")


def rich_table(rows: Sequence[AlarmRow], title: str) -> Table:
    """The rows for a terminal."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for head in ("split", "model", "check", ""):
        table.add_column(head, no_wrap=True)
    for head in ("measured", "at most"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("numbers", overflow="fold")
    styles = {True: "", False: "red", None: "dim"}
    for row in rows:
        table.add_row(*_cells(row), style=styles[row.finding.passed])
    return table


def _cells(row: AlarmRow) -> tuple[str, ...]:
    found = row.finding
    measured = "–" if math.isnan(found.measured) else f"{found.measured:.4g}"
    facts = (row.split, row.model, found.check, _VERDICT[found.passed])
    return (*facts, measured, f"{found.threshold:.4g}", found.unchecked or _numbers(found))


def _numbers(found: Finding) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in found.numbers.items())


def _expected(rows: Sequence[AlarmRow]) -> dict[str, str]:
    return {row.finding.check: row.finding.expects for row in rows}


def _asked(plan: AlarmPlan) -> str:
    images = f"{plan.images:,} images of each split" if plan.images else "all images"
    return f"ε = {plan.epsilon}, {images}"


def _verdict(rows: Sequence[AlarmRow], rang: int) -> str:
    made = sum(row.finding.passed is not None for row in rows)
    if not rang:
        return f"no sign of gradient masking in {made} checks; that proves no robustness"
    names = dict.fromkeys(
        f"{row.finding.check} ({row.split}, {row.model})"
        for row in rows
        if row.finding.passed is False
    )
    return (
        f"{rang} of {made} checks rang: {', '.join(names)}; accuracies under gradient attacks are "
        "too high to be believed there"
    )


def _finite(value: object) -> object:
    return None if isinstance(value, float) and math.isnan(value) else value
