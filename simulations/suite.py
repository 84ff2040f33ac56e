"""Suites: the runs behind one table of results, each repeated with several seeds.

A suite is a TOML file: `description`, `supernodes`, `seeds`, a `[config]` that all its runs share,
and a `[runs.<name>]` for each run, which holds what a run file holds. `ceilings = "<name>"` adds
what is possible at all on the pooled shards of that run (ceilings.py); `splits` limits the table.
"""

import csv
import json
import statistics
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from fedmvp_core.config import RunConfig, Scalar, did_you_mean
from fedmvp_core.errors import ConfigError
from fedmvp_core.metrics.names import ACCURACY
from simulations.commands.run import EXIT_CODES, Plan, plan_run, run_plan
from simulations.commands.tables import (
    Accuracies,
    final_accuracies,
    final_headline,
    final_robust_accuracies,
    points,
    read_json,
    shown,
)
from simulations.runner.named_runs import NamedRun, named_run_from
from simulations.runner.project import default_config, package_folder
from simulations.runner.run_folder import read_status, run_folder

# (run, kind of accuracy) -> one mapping a seed: split -> (zero-shot, tuned)
Results = dict[tuple[str, str], list[Accuracies]]
CLEAN, BOTH = "clean", "mean of both"  # the third kind is named as its attack
COLUMNS = ("run", "accuracy", "split", "seeds", "zero-shot", "mean", "range", "difference")
_KEYS = ("description", "supernodes", "seeds", "config", "runs", "ceilings", "splits")
# Keys that say where a run leaves things, not what it computes.
_PLACES = ("output-dir", "run-name", "cache-dir", "overwrite")


@dataclass(frozen=True)
class Suite:
    """A suite as its file describes it."""

    name: str
    seeds: Sequence[int]
    runs: Sequence[NamedRun]
    ceilings: str  # the run that is pooled for them, or ""
    splits: Sequence[str]  # those that the table shows; none: all


def load_suite(name: str) -> Suite:
    """Read a shipped suite by its name, or any by its path; raises ConfigError."""
    folder = package_folder("simulations") / "suites"
    path = Path(name) if name.endswith(".toml") else folder / f"{name}.toml"
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        known = did_you_mean(name, [file.stem for file in folder.glob("*.toml")])
        raise ConfigError(f"suite '{name}' cannot be read ({error}){known}") from None
    for key in table:
        if key not in _KEYS:
            raise ConfigError(f"{path}: unknown key '{key}'{did_you_mean(key, list(_KEYS))}")
    if not table.get("runs"):
        raise ConfigError(f"{path} lists no runs; write a [runs.<name>] for each")
    ceilings = table.get("ceilings", "")
    if ceilings and ceilings not in table["runs"]:
        raise ConfigError(f"{path}: ceilings is '{ceilings}'; its runs: {', '.join(table['runs'])}")
    seeds, splits = table.get("seeds", [1]), table.get("splits", [])
    return Suite(path.stem, seeds, [*_runs(table, path)], ceilings, splits)


def _runs(table: dict[str, Any], path: Path) -> Iterator[NamedRun]:
    for name, entry in table["runs"].items():
        shared = {"supernodes": table["supernodes"]} if "supernodes" in table else {}
        config = {**table.get("config", {}), **entry.get("config", {})}
        yield named_run_from(name, {**shared, **entry, "config": config}, f"{path} [runs.{name}]")


def run_suite(
    console: Console,
    name: str,
    seed_words: Sequence[str],
    output_dir: Path,
    clients_at_once: int | None = None,
    clients_per_gpu: int | None = None,
) -> int:
    """Run what is not yet done, print and write the table; return the exit code."""
    suite = load_suite(name)
    seeds = _parse_seeds(seed_words) or suite.seeds
    plans: list[tuple[str, Plan]] = []
    for run in suite.runs:  # all are checked before the first starts
        for seed in seeds:
            folder = f"{suite.name}-{run.name}-seed{seed}"
            own: dict[str, Scalar] = {"run-name": folder, "seed": seed}
            own["output-dir"] = str(output_dir)
            plan = plan_run(run, own, None, clients_at_once, clients_per_gpu)
            plans.append((run.name, plan))
    code = 0
    for _, plan in plans:
        if is_done(plan.config):
            console.print(f"{plan.config.run_name} is done already", soft_wrap=True)
            continue
        outcome = run_plan(plan, console)
        code = code or EXIT_CODES[outcome.status]
        if outcome.error:
            console.print(f"{plan.config.run_name}: {outcome.error}", soft_wrap=True, markup=False)
        if outcome.status == "interrupted":
            return EXIT_CODES["interrupted"]
    done = [(run, plan) for run, plan in plans if is_done(plan.config)]
    rows = [*_rows(_results(done))]
    if suite.ceilings:
        console.print("ceilings: training on pooled shards", soft_wrap=True)
        rows += _rows(_ceilings([plan for run, plan in done if run == suite.ceilings]))
    rows = [row for row in rows if not suite.splits or row[2] in suite.splits]
    console.print(as_markdown(rows), soft_wrap=True, markup=False, highlight=False)
    _write(output_dir.absolute() / suite.name, rows, console)
    return code


def is_done(config: RunConfig) -> bool:
    """Whether the run folder holds a completed run of this very configuration."""
    folder = run_folder(config)
    written = read_json(folder / "config.json")
    saved = {**default_config(), **written}  # a younger key than the run had its default then
    wanted = config.as_mapping()
    compared = [key for key in wanted if key not in _PLACES and wanted[key] != saved.get(key)]
    # The server may write the number of shards that `clients = 0` came to.
    differs = [key for key in compared if (key, wanted[key]) != ("clients", 0)]
    completed = read_status(folder).get("status") == "completed"
    return completed and bool(written) and not differs


def _parse_seeds(words: Sequence[str]) -> list[int]:
    numbers = " ".join(words).replace(",", " ").split()
    for number in numbers:
        if not number.isdigit():
            raise ConfigError(f"seeds has '{number}'; allowed: whole numbers from 0, such as 1 2 3")
    return list(dict.fromkeys(map(int, numbers)))


def _results(done: Sequence[tuple[str, Plan]]) -> Results:
    """The accuracies of each run, clean and under its attack, one mapping a seed."""
    results: Results = {}
    for run, plan in done:
        folder = run_folder(plan.config)
        clean, headline = final_accuracies(folder), final_headline(folder)
        kinds = {CLEAN: clean}
        attack, robust = final_robust_accuracies(folder)
        if attack is not None:
            both = {s: (clean[s], robust[s]) for s in clean if s in robust}
            kinds[attack.label] = robust
            kinds[BOTH] = {s: (_mean(c[0], r[0]), _mean(c[1], r[1])) for s, (c, r) in both.items()}
        for kind, accuracies in kinds.items():
            name = kind if headline == ACCURACY else f"{headline}, {kind}"
            results.setdefault((run, name), []).append(accuracies)
    return results


def _mean(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else (first + second) / 2


def _ceilings(plans: Sequence[Plan]) -> Results:
    """Accuracies of each ceiling; kept in the run's folder, since they take a while."""
    from simulations.ceilings import ceilings

    results: Results = {}
    for plan in plans:
        folder = run_folder(plan.config)
        kept = folder / "ceilings.json"
        if not kept.exists():
            reached = ceilings(plan.config, plan.supernodes)
            kept.write_text(json.dumps(reached, indent=1) + "\n", encoding="utf-8")
        frozen = final_accuracies(folder)
        for name, accuracies in read_json(kept).items():
            pairs = {s: (frozen[s][0], accuracies[s]) for s in frozen if s in accuracies}
            results.setdefault((f"{name}, pooled", CLEAN), []).append(pairs)
    return results


def _rows(results: Results) -> Iterator[tuple[str, ...]]:
    """One row for each run and split, over the seeds that completed."""
    for (run, kind), seeds in results.items():
        for split in dict.fromkeys(split for seed in seeds for split in seed):
            pairs = [seed[split] for seed in seeds if split in seed]
            tuned = [after for _, after in pairs if after is not None]
            before = [zero_shot for zero_shot, _ in pairs if zero_shot is not None]
            mean = statistics.fmean(tuned) if tuned else None
            base = statistics.fmean(before) if before else None
            spread = f"{shown(min(tuned))} .. {shown(max(tuned))}" if tuned else "-"
            numbers = (str(len(tuned)), shown(base), shown(mean), spread, points(base, mean))
            yield (run, kind, split, *numbers)


def as_markdown(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table of the rows."""
    rule = ("---", "---", "---", *("---:" for _ in COLUMNS[3:]))
    return "\n".join(f"| {' | '.join(row)} |" for row in (COLUMNS, rule, *rows))


def _write(path: Path, rows: Sequence[Sequence[str]], console: Console) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    markdown, table = path.with_suffix(".md"), path.with_suffix(".csv")
    markdown.write_text(as_markdown(rows) + "\n", encoding="utf-8")
    with table.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([COLUMNS, *rows])
    console.print(f"table: {markdown} and {table}", soft_wrap=True)
