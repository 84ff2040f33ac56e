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
    "without liars",
)
COSTS_POINTS, OPENS = 3.0, 0.1  # what a defence that holds may lose, and let through


@dataclass(frozen=True)
class FederationResult:
    """What came of one federation.

    accuracy: of all test images. refused: replies of all rounds. backdoor: share of the marked test
    images of other classes that are taken for the target. by_itself: the same of a federation in
    which nobody lied: what the trigger does without a backdoor.
    """

    defence: str
    attack: str
    seed: int
    accuracy: float
    refused: int
    backdoor: float | None
    by_itself: float | None = None


def rows(results: Sequence[FederationResult]) -> Iterator[tuple[str, ...]]:
    """One row for each attack and defence: means over the seeds.

    Each federation is compared with that of its seed without liars and defence; refused replies are
    added up.
    """
    for names, group in _grouped(results):
        found = [m.accuracy for m in group]
        before, after = _compared(group, results)
        yield (
            *names,
            str(len(group)),
            shown(mean(found)),
            f"{shown(min(found))} .. {shown(max(found))}",
            points(before, after),
            str(sum(m.refused for m in group)),
            shown(_mean([m.backdoor for m in group])),
            shown(_mean([m.by_itself for m in group])),
        )


def verdicts(results: Sequence[FederationResult]) -> Iterator[str]:
    """For each attack, which defences hold: in the mean over the seeds they are within 3 points of
    the accuracy without liars and defence, and open a backdoor in under 10 %."""
    held: dict[str, list[str]] = {}
    for (attack, defence), group in _grouped(results):
        before, after = _compared(group, results)
        if attack == NO_LIARS or before is None or after is None:
            continue
        holds, opened = held.setdefault(attack, []), _mean([m.backdoor for m in group])
        if round(100 * (before - after), 1) <= COSTS_POINTS and (opened is None or opened < OPENS):
            holds.append(defence)
    for attack, defences in held.items():
        under = " and opens it in under 10 %" if "backdoor" in attack else ""
        yield f"{attack}: within 3 points{under}: {', '.join(defences) or 'none'}"


def _grouped(
    results: Sequence[FederationResult],
) -> list[tuple[tuple[str, str], list[FederationResult]]]:
    """(attack, defence) with the federations of all seeds; those without liars come first."""
    groups: dict[tuple[str, str], list[FederationResult]] = {}
    for m in sorted(results, key=lambda m: m.attack != NO_LIARS):
        groups.setdefault((m.attack, m.defence), []).append(m)
    return list(groups.items())


def _compared(
    group: Sequence[FederationResult], results: Sequence[FederationResult]
) -> tuple[float | None, float | None]:
    """Mean accuracies without liars and defence, and of the group, over seeds that have both."""
    clean = {
        m.seed: m.accuracy for m in results if (m.attack, m.defence) == (NO_LIARS, UNPROTECTED)
    }
    both = [m for m in group if m.seed in clean]
    return _mean([clean[m.seed] for m in both]), _mean([m.accuracy for m in both])


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return mean(known) if known else None


def as_table(found: Sequence[Sequence[str]], title: str) -> Table:
    """The rows for a terminal."""
    table = Table(title=title, title_justify="left")
    for number, column in enumerate(COLUMNS):
        table.add_column(column, justify="left" if number < 2 else "right", no_wrap=True)
    for row in found:
        table.add_row(*row)
    return table


def write_table(
    folder: Path, found: Sequence[Sequence[str]], said: Sequence[str] = ()
) -> tuple[Path, Path]:
    """Write stress.md, with the sentences below the table, and stress.csv; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    markdown, table = folder / "stress.md", folder / "stress.csv"
    rule = ("---", "---", *("---:" for _ in COLUMNS[2:]))
    lines = [f"| {' | '.join(row)} |" for row in (COLUMNS, rule, *found)]
    lines += ["", *(f"- {sentence}" for sentence in said)] if said else []
    markdown.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with table.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([COLUMNS, *found])
    return markdown, table
