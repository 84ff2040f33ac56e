"""The rows of `fedmvp attack` as CSV, as Markdown and for a terminal."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.table import Table

from fedmvp_core.disk import replace_text
from simulations.attack.run import TUNED, ZERO_SHOT, AttackRow
from simulations.runner.results import shown

# The accuracies: (column, model, under attack?).
ACCURACIES = tuple(
    (f"{model} {kind}", model, kind == "robust")
    for model in (ZERO_SHOT, TUNED)
    for kind in ("clean", "robust")
)
COLUMNS = (
    *("split", "attack", "steps", "epsilon", "defence", "round", "images"),
    *(name.replace("-", "_").replace(" ", "_") for name, _, _ in ACCURACIES),
)


def write_table(path: Path, rows: Sequence[AttackRow], round: int) -> None:
    """The rows so far as CSV (fractions) and, beside it, as Markdown (percent)."""
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(COLUMNS)
    for row in rows:
        name = row.attack
        how = (name.attack, name.counted_steps, name.epsilon, name.defence)
        facts = (row.split, *how, round, row.images)
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
