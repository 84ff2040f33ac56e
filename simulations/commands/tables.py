"""Tables of results, read from run folders."""

import csv
import json
from pathlib import Path
from typing import Any

from rich.table import Table

from fedmvp_core.errors import DataError
from simulations.runner.progress import percent

# The order in which splits are shown; others, such as single clients, are left to the report.
SPLITS = ("local", "base", "new", "harmonic-mean", "source", "target")


def final_accuracies(folder: Path) -> dict[str, tuple[float | None, float | None]]:
    """For each split: zero-shot accuracy and accuracy after the last evaluated round."""
    values: dict[tuple[str, str], tuple[int, float]] = {}
    try:
        with (folder / "metrics.csv").open(newline="", encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                key, number = (row["split"], row["metric"]), int(row["round"])
                if key not in values or number >= values[key][0]:
                    values[key] = (number, float(row["value"]))
    except OSError as error:
        raise DataError(f"{folder}/metrics.csv cannot be read: {error.strerror}") from None
    except (KeyError, ValueError) as error:
        raise DataError(f"{folder}/metrics.csv is damaged: {error}") from None
    results = {}
    for split in SPLITS:
        pair = [values.get((split, metric)) for metric in ("zero-shot-accuracy", "accuracy")]
        if any(pair):
            results[split] = (pair[0] and pair[0][1], pair[1] and pair[1][1])
    return results


def final_table(folder: Path) -> Table:
    """Split, zero-shot, tuned, difference in points."""
    table = Table("split", title=folder.name, title_justify="left")
    for column in ("zero-shot", "tuned", "difference"):
        table.add_column(column, justify="right")
    for split, (zero_shot, tuned) in final_accuracies(folder).items():
        table.add_row(split, shown(zero_shot), shown(tuned), points(zero_shot, tuned))
    return table


def shown(value: float | None) -> str:
    """A fraction as percent, or a dash."""
    return "-" if value is None else percent(value)


def points(before: float | None, after: float | None) -> str:
    """The difference of two fractions in percentage points, signed."""
    return "-" if before is None or after is None else f"{100 * (after - before):+.1f}"


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object, or an empty one when the file is absent or damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
