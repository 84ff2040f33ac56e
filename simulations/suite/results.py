"""The table of a suite: what its completed runs reached, over their seeds."""

import csv
import json
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fedmvp_core.metrics.names import ACCURACY
from fedmvp_core.run_folder import CEILINGS, read_object, run_folder
from simulations.runner.planning import Plan
from simulations.runner.results import (
    Accuracies,
    final_accuracies,
    final_headline,
    final_robust_accuracies,
    points,
    shown,
)
from simulations.suite.attacks import final_attacked
from simulations.suite.files import CLEAN, ROBUST, Suite, SuiteAttacks

BOTH, LATER = "mean of both", "later"
COLUMNS = ("run", "accuracy", "split", "seeds", "zero-shot", "ours", "range", "over zero-shot")
PUBLISHED_COLUMNS = ("published", "difference")


@dataclass(frozen=True)
class Kind:
    """What was measured: clean accuracy, that under an attack (label), or the mean of both."""

    name: str  # CLEAN, ROBUST (the run's own attack), BOTH or LATER (an attack of the suite)
    label: str


@dataclass(frozen=True)
class DoneRun:
    """A completed run: its name in the suite, the row that averages it, and its plan."""

    name: str
    mean: str
    plan: Plan


# (run, kind) -> one mapping a seed: split -> (zero-shot, tuned)
Results = dict[tuple[str, Kind], list[Accuracies]]


def table_of(suite: Suite, done: Sequence[DoneRun]) -> list[tuple[str, ...]]:
    """The header and one row for each run, kind of accuracy and split."""
    results = results_of(suite, done)
    header = COLUMNS + (PUBLISHED_COLUMNS if suite.published else ())
    return [header, *_rows(results, suite)]


def results_of(suite: Suite, done: Sequence[DoneRun]) -> Results:
    """The accuracies of each run, of means over an axis and of ceilings, one mapping a seed."""
    results: Results = {}
    for run in done:
        for kind, accuracies in _kinds(run.plan, suite.attacks).items():
            results.setdefault((run.name, kind), []).append(accuracies)
    results |= _means(done, suite)
    if suite.ceilings:
        results |= _ceilings([run.plan for run in done if run.name == suite.ceilings])
    return results


def _kinds(plan: Plan, attacks: SuiteAttacks) -> dict[Kind, Accuracies]:
    folder = run_folder(plan.config.run)
    clean, headline = final_accuracies(folder), final_headline(folder)
    before = "" if headline == ACCURACY else f"{headline}, "
    kinds = {Kind(CLEAN, before + CLEAN): clean}
    attack, robust = final_robust_accuracies(folder)
    if attack is not None:
        both = {s: (clean[s], robust[s]) for s in clean if s in robust}
        kinds[Kind(ROBUST, before + attack.label)] = robust
        kinds[Kind(BOTH, before + BOTH)] = {
            s: (_mean(c[0], r[0]), _mean(c[1], r[1])) for s, (c, r) in both.items()
        }
    for label, accuracies in final_attacked(plan.config, attacks).items():
        kinds[Kind(LATER, before + label)] = accuracies
    return kinds


def _means(done: Sequence[DoneRun], suite: Suite) -> Results:
    """Means over an axis, for each seed with which every run of the group is done."""
    sizes = Counter(entry.mean for entry in suite.runs if entry.mean)
    groups: dict[tuple[str, int], list[Plan]] = {}
    for run in done:
        if run.mean:
            groups.setdefault((run.mean, run.plan.config.run.seed), []).append(run.plan)
    results: Results = {}
    for (mean, _), plans in groups.items():
        if len(plans) == sizes[mean] > 1:
            for kind, accuracies in _averaged(
                [_kinds(plan, suite.attacks) for plan in plans]
            ).items():
                results.setdefault((mean, kind), []).append(accuracies)
    return results


def _averaged(runs: Sequence[Mapping[Kind, Accuracies]]) -> dict[Kind, Accuracies]:
    """Of the kinds and splits that every run has."""
    averaged: dict[Kind, Accuracies] = {}
    for kind in runs[0]:
        if all(kind in run for run in runs):
            splits = [s for s in runs[0][kind] if all(s in run[kind] for run in runs)]
            averaged[kind] = {
                s: (
                    _mean(*(run[kind][s][0] for run in runs)),
                    _mean(*(run[kind][s][1] for run in runs)),
                )
                for s in splits
            }
    return averaged


def _mean(*values: float | None) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known and len(known) == len(values) else None


def _ceilings(plans: Sequence[Plan]) -> Results:
    """Accuracies of each ceiling; kept in the run's folder, since they take a while."""
    from simulations.suite.ceilings import ceilings

    results: Results = {}
    for plan in plans:
        folder = run_folder(plan.config.run)
        kept = folder / CEILINGS
        if not kept.exists():
            reached = ceilings(plan.config, plan.supernodes)
            kept.write_text(json.dumps(reached, indent=1) + "\n", encoding="utf-8")
        frozen = final_accuracies(folder)
        for name, accuracies in read_object(kept).items():
            pairs = {s: (frozen[s][0], accuracies[s]) for s in frozen if s in accuracies}
            results.setdefault((f"{name}, pooled", Kind(CLEAN, CLEAN)), []).append(pairs)
    return results


def _rows(results: Results, suite: Suite) -> Iterator[tuple[str, ...]]:
    """Our runs over the seeds that completed, then what was published of others."""
    shown_published: set[tuple[str, str, str]] = set()
    for (run, kind), seeds in results.items():
        for split in dict.fromkeys(split for seed in seeds for split in seed):
            if suite.splits and split not in suite.splits:
                continue
            shown_published.add((run, kind.name, split))
            numbers = _numbers([seed[split] for seed in seeds if split in seed])
            beside = _beside(suite, (run, kind.name, split), numbers.ours)
            yield (run, kind.label, split, *numbers.cells, *beside)
    for (run, name), splits in suite.published.items():
        for split, value in splits.items():
            if (run, name, split) not in shown_published:
                yield (run, name, split, *"-----", shown(value), "-")


@dataclass(frozen=True)
class _Numbers:
    cells: tuple[str, ...]
    ours: float | None


def _numbers(pairs: Sequence[tuple[float | None, float | None]]) -> _Numbers:
    """Seeds, zero-shot, mean, range and the difference of the two."""
    tuned = [after for _, after in pairs if after is not None]
    before = [zero_shot for zero_shot, _ in pairs if zero_shot is not None]
    mean = statistics.fmean(tuned) if tuned else None
    base = statistics.fmean(before) if before else None
    spread = f"{shown(min(tuned))} .. {shown(max(tuned))}" if tuned else "-"
    return _Numbers((str(len(tuned)), shown(base), shown(mean), spread, points(base, mean)), mean)


def _beside(suite: Suite, key: tuple[str, str, str], ours: float | None) -> tuple[str, ...]:
    """The published number and how far ours is from it; nothing in a suite without any."""
    if not suite.published:
        return ()
    run, kind, split = key
    published = suite.published.get((run, kind), {}).get(split)
    return shown(published), points(published, ours)


def as_markdown(table: Sequence[Sequence[str]]) -> str:
    """A Markdown table; numbers, from the fourth column, to the right."""
    header, *rows = table
    rule = ("---", "---", "---", *("---:" for _ in header[3:]))
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, rule, *rows))


def write_table(
    path: Path, table: Sequence[Sequence[str]], said: Sequence[str] = ()
) -> tuple[Path, Path]:
    """Write <path>.md, with lines below the table, and <path>.csv."""
    path.parent.mkdir(parents=True, exist_ok=True)
    markdown, values = path.with_suffix(".md"), path.with_suffix(".csv")
    lines = "".join(f"\n{line}\n" for line in said)
    markdown.write_text(f"{as_markdown(table)}\n{lines}", encoding="utf-8")
    with values.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(table)
    return markdown, values
