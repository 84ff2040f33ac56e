"""The table of a suite with one row a run: what it reaches, and how large it is."""

import statistics
from collections.abc import Sequence
from pathlib import Path

from fedmvp_core.run_folder import run_folder
from simulations.report.run_data import read_run
from simulations.runner.results import Accuracies, shown
from simulations.suite.files import CLEAN, Suite
from simulations.suite.results import BOTH, DoneRun, results_of

SIZES = ("numbers", "KB a client sends")


def wide_table(suite: Suite, done: Sequence[DoneRun]) -> list[tuple[str, ...]]:
    """The header and one row for each run: every split clean, then its last under each attack.

    Means over the seeds, with the range of the last split. numbers: trained and sent; KB: mean over
    clients and rounds.
    """
    results = results_of(suite, done)
    kinds = [kind for kind in dict.fromkeys(kind for _, kind in results) if kind.name != BOTH]
    of_clean = (s for (_, k), seeds in results.items() if k.name == CLEAN for a in seeds for s in a)
    splits = list(suite.splits) or list(dict.fromkeys(of_clean))
    heads = [*splits, *(f"{splits[-1]}, {kind.label}" for kind in kinds if kind.name != CLEAN)]
    rows: list[tuple[str, ...]] = [("run", "seeds", *heads, *SIZES)]
    for run in dict.fromkeys(name for name, _ in results):
        cells: list[str] = []
        for kind in kinds:
            seeds = results.get((run, kind), [])
            shown_splits = splits if kind.name == CLEAN else splits[-1:]
            cells += [_cell(seeds, split, split == splits[-1]) for split in shown_splits]
        count = max(len(results.get((run, kind), [])) for kind in kinds)
        folders = [run_folder(r.plan.config.run) for r in done if r.name == run]
        rows.append((run, str(count), *cells, *_sizes(folders[0] if folders else None)))
    return rows


def _cell(seeds: Sequence[Accuracies], split: str, with_range: bool) -> str:
    """`57.7 %`, or `57.7 % (57.1 .. 58.0)` of several seeds."""
    found = [pair[1] for seed in seeds if (pair := seed.get(split)) and pair[1] is not None]
    if not found:
        return "-"
    mean = shown(statistics.fmean(found))
    if len(found) == 1 or not with_range:
        return mean
    low, high = (shown(value).removesuffix(" %") for value in (min(found), max(found)))
    return f"{mean} ({low} .. {high})"


def _sizes(folder: Path | None) -> tuple[str, str]:
    """The numbers of a run's prompt tensors, and the KB that a client sends in a round."""
    if folder is None:  # a mean over runs
        return "-", "-"
    run = read_run(folder)
    of_clients = run.metrics[run.metrics["split"] != "train"]
    sent = of_clients.loc[of_clients["metric"] == "bytes-up", "value"]
    numbers = run.event("start").get("prompt-numbers")
    kilobytes = sent.mean() / 1000 if len(sent) else 0.0
    return "-" if numbers is None else f"{numbers:,}", f"{kilobytes:,.0f}"
