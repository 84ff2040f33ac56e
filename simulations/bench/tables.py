"""Measurements as tables: rich ones for a terminal, Markdown ones for a page, and comparisons."""

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from fedmvp_core.errors import DataError
from simulations.bench.paired import Spread, ratios, spread
from simulations.bench.record import Measured, Record


def heading(part: Measured) -> list[str]:
    """The columns of its table."""
    rate = ["images/s"] if part.images else []
    times = [f"times {part.base}"] if len(part.values) > 1 else []
    return [part.title, part.unit, "quartiles", *rate, *times, *_of_sides(part)]


def rows(part: Measured) -> list[list[str]]:
    """A row of cells for each side."""
    times = ratios(part.values, part.base)
    found = []
    for name, values in part.values.items():
        own = spread(values)
        cells = [name, number(own.median), f"{number(own.low)} to {number(own.high)}"]
        cells += [f"{part.images / own.median:,.1f}"] if part.images else []
        if len(part.values) > 1:
            cells.append(ratio(times[name]) if name in times else "-")
        facts = [of.get(name, "-") for of in _of_sides(part).values()]
        found.append([*cells, *(f"{of:,}" if isinstance(of, int | float) else of for of in facts)])
    return found


def _of_sides(part: Measured) -> dict[str, dict[str, Any]]:
    """Facts that have a value for each side."""
    return {
        name: value
        for name, value in part.facts.items()
        if isinstance(value, dict) and value.keys() <= part.values.keys()
    }


def number(value: float) -> str:
    """Four digits that say something."""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def ratio(times: Spread) -> str:
    """A ratio and its quartiles."""
    return f"{times.median:.2f} ({times.low:.2f} to {times.high:.2f})"


def described(part: Measured) -> str:
    """What it was measured with, in one line."""
    single = {name: fact for name, fact in part.facts.items() if isinstance(fact, int | float)}
    words = {**part.config, **(single if not part.config.get("verdict") else {})}
    return ", ".join(f"{name} {value}" for name, value in words.items())


def machine_line(record: Record) -> str:
    """Where it was measured, in one line."""
    where = record.machine
    source = where["commit"] or where["fedmvp"]
    return f"{where['device']}, torch {where['torch']}, {source}, `{where['command']}`"


def markdown_table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *body]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def markdown(record: Record) -> str:
    """All tables of a record, each under what it was measured with."""
    parts = [f"{described(part)}:\n\n{_markdown_part(part)}" for part in record.parts]
    return "\n\n".join([machine_line(record), *parts])


def _markdown_part(part: Measured) -> str:
    return markdown_table(heading(part), rows(part))


def rich_table(part: Measured) -> Table:
    """The same for a terminal."""
    table = _table(heading(part), rows(part))
    table.caption, table.caption_justify = described(part), "left"
    return table


def comparison(old: Record, new: Record) -> list[Table]:
    """What the new record has of the parts of the old one: both medians, and new over old.

    Raises:
        DataError: they have no part in common.
    """
    found = []
    for part in new.parts:
        before = next((p for p in old.parts if (p.part, p.title) == (part.part, part.title)), None)
        if before is not None:
            found.append(_table(*_compared(before, part)))
    if not found:
        have = [", ".join(dict.fromkeys(p.part for p in r.parts)) for r in (old, new)]
        raise DataError(f"the records have no part in common: {have[0]}; and {have[1]}")
    return found


def _compared(old: Measured, new: Measured) -> tuple[list[str], list[list[str]]]:
    before, after = ratios(old.values, old.base), ratios(new.values, new.base)
    body = []
    for name in (side for side in new.values if side in old.values):
        was, now = spread(old.values[name]), spread(new.values[name])
        change = f"{now.median / was.median:.2f}" if was.median else "-"
        apart = now.low > was.high or now.high < was.low
        cells = [name, number(was.median), number(now.median), change]
        times = [f"{of[name].median:.2f}" if name in of else "-" for of in (before, after)]
        body.append([*cells, "yes" if apart else "no", *times])
    unit = new.unit
    head = [new.title, f"old {unit}", f"new {unit}", "new / old", "quartiles apart"]
    return [*head, f"old times {old.base}", f"new times {new.base}"], body


def _table(head: Sequence[str], body: Sequence[Sequence[str]]) -> Table:
    table = Table(title_justify="left")
    for i, column in enumerate(head):
        table.add_column(column, justify="right" if i else "left")
    for cells in body:
        table.add_row(*cells)
    return table
