"""The comparison on the terminal."""

import math
from collections.abc import Mapping, Sequence
from itertools import groupby

from rich.console import Console
from rich.table import Table

from simulations.compare.differences import (
    Rows,
    configuration_rows,
    other_pictures,
    version_rows,
)
from simulations.compare.numbers import NumberRow, cost_rows, number_rows
from simulations.report.run_data import RunData
from simulations.runner.results import points, shown


def print_comparison(console: Console, runs: Mapping[str, RunData]) -> None:
    """What differs, then the numbers, the first run's first."""
    listed, names = list(runs.values()), list(runs)
    differing = configuration_rows(listed) + version_rows(listed)
    if differing:
        console.print(_table("what differs", ["key"], names, differing))
    else:
        console.print("no key of the configuration and no version differs")
    for sentence in other_pictures(runs):
        console.print(f"note: {sentence}", soft_wrap=True)
    console.print(_numbers(names, number_rows(listed)))
    console.print(_table("what it took", ["of all rounds"], names, cost_rows(listed), right=True))


def _table(
    title: str, heads: Sequence[str], names: Sequence[str], rows: Rows, right: bool = False
) -> Table:
    table = Table(title=title, title_justify="left")
    for head in heads:
        table.add_column(head, no_wrap=True)
    for name in names:
        table.add_column(name, overflow="fold", justify="right" if right else "left")
    for what, values in rows:
        table.add_row(what, *values)
    return table


def _numbers(names: Sequence[str], rows: Sequence[NumberRow]) -> Table:
    caption = "last evaluation; in brackets: points above the first run"
    table = Table(title="numbers", title_justify="left", caption=caption, caption_justify="left")
    table.add_column("split", no_wrap=True)
    table.add_column("metric", overflow="fold")
    for name in names:
        table.add_column(name, overflow="fold", justify="right")
    for split, own in groupby(rows, key=lambda row: row.split):
        table.add_section()
        for place, row in enumerate(own):
            cells = (_cell(row, index) for index in range(len(names)))
            table.add_row("" if place else split, row.words, *cells)
    return table


def _cell(row: NumberRow, index: int) -> str:
    values = [None if math.isnan(value) else value for value in row.values]
    if index == 0 or None in (values[0], values[index]):
        return shown(values[index])
    return f"{shown(values[index])} ({points(values[0], values[index])})"
