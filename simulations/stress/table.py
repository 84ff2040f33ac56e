"""The table of a stress test: what is left of the accuracy, by defence and attack."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from rich.table import Table

from simulations.runner.results import points, shown
from simulations.stress.plans import NO_LIARS, UNPROTECTED

COLUMNS = (
    "attack",
    "defence",
    "seeds",
    "accuracy",
    "range",
    "against the clean run",
    "refused",
    "backdoor",
)


@dataclass(frozen=True)
class FederationResult:
    """What came of one federation.

    accuracy: of all test images. refused: replies of all rounds. backdoor: share of the marked test
    images of other classes that are taken for the target.
    """

    defence: str
    attack: str
    seed: int
    accuracy: float
    refused: int
    backdoor: float | None


def rows(results: Sequence[FederationResult]) -> Iterator[tuple[str, ...]]:
    """One row for each attack and defence: means over the seeds.

    Each federation is compared with that of its seed without liars and defence; refused replies are
    added up.
    """
    clean = {
        m.seed: m.accuracy for m in results if (m.attack, m.defence) == (NO_LIARS, UNPROTECTED)
    }
    groups: dict[tuple[str, str], list[FederationResult]] = {}
    for m in sorted(results, key=lambda m: m.attack != NO_LIARS):
        groups.setdefault((m.attack, m.defence), []).append(m)
    for names, group in groups.items():
        found = [m.accuracy for m in group]
        compared = [m for m in group if m.seed in clean]
        before = mean(clean[m.seed] for m in compared) if compared else None
        after = mean(m.accuracy for m in compared) if compared else None
        backdoors = [m.backdoor for m in group if m.backdoor is not None]
        yield (
            *names,
            str(len(group)),
            shown(mean(found)),
            f"{shown(min(found))} .. {shown(max(found))}",
            points(before, after),
            str(sum(m.refused for m in group)),
            shown(mean(backdoors) if backdoors else None),
        )


def as_table(found: Sequence[Sequence[str]], title: str) -> Table:
    """The rows for a terminal."""
    table = Table(title=title, title_justify="left")
    for number, column in enumerate(COLUMNS):
        table.add_column(column, justify="left" if number < 2 else "right", no_wrap=True)
    for row in found:
        table.add_row(*row)
    return table


def write_table(folder: Path, found: Sequence[Sequence[str]]) -> tuple[Path, Path]:
    """Write stress.md and stress.csv; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    markdown, table = folder / "stress.md", folder / "stress.csv"
    rule = ("---", "---", *("---:" for _ in COLUMNS[2:]))
    lines = [f"| {' | '.join(row)} |" for row in (COLUMNS, rule, *found)]
    markdown.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with table.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([COLUMNS, *found])
    return markdown, table
