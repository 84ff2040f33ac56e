"""Suite files: what runs there are, and the published numbers to set beside them.

A suite is a TOML file in `simulations/suites/`, or anywhere:

    description, source   what it is, and where the published numbers stand
    extends               another shipped suite: this file's keys take the place of that one's,
                          and its [config] changes keys of that one's
    supernodes, seeds     of every run, unless a run says otherwise
    splits                those that the table shows; none: all
    ceilings              a run on whose pooled shards the ceilings are measured
    [config]              run-config keys of every run, options as "method.lora-rank" = 4
    [runs.<name>]         what a run file holds: description, supernodes, [config]
    [grid]                axes: every run is done with each combination of their values. An axis is
                          a run-config key and a list of values, or a table label -> config, in
                          which `supernodes` may stand too
    mean-over             an axis over which the table shows means too
    [published.<run>]     clean = {split = percent}, robust = {split = percent}
    [attacks]             what every completed run is attacked with after it, as by `fedmvp attack`:
                          names, epsilons, steps, images (of each split; 0: all). alarm: so many
                          images of each split are looked at for gradient masking; 0: none
    [smoke]               run-config keys that shorten every run of a smoke test further
    wide                  one row a run, with its size, instead of one for each number
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fedmvp_core.config import Scalar, did_you_mean
from fedmvp_core.errors import ConfigError
from fedmvp_core.user_files import read_toml
from simulations.runner.named_runs import NamedRun, named_run_from
from simulations.runner.overrides import merged
from simulations.runner.project import package_folder

CLEAN, ROBUST = "clean", "robust"
ROOT = "{root}"  # in a value: the folder given as --root
_KINDS: dict[str, type] = {
    "description": str,
    "source": str,
    "extends": str,
    "supernodes": int,
    "seeds": list,
    "splits": list,
    "ceilings": str,
    "config": dict,
    "runs": dict,
    "grid": dict,
    "mean-over": str,
    "published": dict,
    "attacks": dict,
    "smoke": dict,
    "wide": bool,
}


@dataclass(frozen=True)
class SuiteRun:
    """One run of a suite; `mean` names the row that averages it with others, or is "".

    entry, place: its name in the file, and its labels on the axes of the grid, which together make
    the name of the run.
    """

    run: NamedRun
    mean: str = ""
    first: bool = True  # whether it takes the first value of every axis, which a smoke test runs
    entry: str = ""
    place: str = ""


@dataclass(frozen=True)
class SuiteAttacks:
    """Attacks on every completed run. steps: None: as the run's own attack; images 0: all.

    alarm: images of each split that `fedmvp alarm` looks at; 0: it does not.
    """

    names: Sequence[str] = ()
    epsilons: Sequence[str] = ()
    steps: int | None = None
    images: int = 0
    alarm: int = 0

    @property
    def asks(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.names or self.alarm)


@dataclass(frozen=True)
class Suite:
    """A suite as its file describes it.

    published: (run, "clean" or "robust") -> split -> a fraction, as the source has it.
    """

    name: str
    description: str
    source: str
    seeds: Sequence[int]
    runs: Sequence[SuiteRun]
    ceilings: str
    splits: Sequence[str]
    published: Mapping[tuple[str, str], Mapping[str, float]]
    attacks: SuiteAttacks = SuiteAttacks()
    smoke: Mapping[str, Scalar] = field(default_factory=dict)
    wide: bool = False


def suites_folder() -> Path:
    """Where the shipped suites lie."""
    return package_folder("simulations") / "suites"


def suite_names() -> list[str]:
    """Names of the shipped suites."""
    return sorted(path.stem for path in suites_folder().glob("*.toml"))


def load_suite(name: str) -> Suite:
    """Read a shipped suite by its name, or any by its path.

    Raises:
        ConfigError: there is none, or it is not what a suite must be.
    """
    path = Path(name) if name.endswith(".toml") else suites_folder() / f"{name}.toml"
    table = _read(path, name)
    if not table.get("runs"):
        raise ConfigError(f"{path} lists no runs; write a [runs.<name>] for each")
    ceilings = table.get("ceilings", "")
    if ceilings and ceilings not in table["runs"]:
        raise ConfigError(f"{path}: ceilings is '{ceilings}'; its runs: {', '.join(table['runs'])}")
    return Suite(
        name=path.stem,
        description=table.get("description", ""),
        source=table.get("source", ""),
        seeds=table.get("seeds", [1]),
        runs=[*_runs(table, path)],
        ceilings=ceilings,
        splits=table.get("splits", []),
        published=_published(table.get("published", {}), path),
        attacks=_attacks(table.get("attacks", {}), path),
        smoke=table.get("smoke", {}),
        wide=table.get("wide", False),
    )


def published_suite(name: str) -> Suite:
    """A suite that has published numbers.

    Raises:
        ConfigError: it cannot be read, or has none; those that have are named.
    """
    suite = load_suite(name)
    if not suite.published:
        have = [other for other in suite_names() if load_suite(other).published]
        raise ConfigError(
            f"suite '{name}' has no published numbers to stand beside ours; those that have: "
            f"{', '.join(have)}"
        )
    return suite


def _read(path: Path, name: str) -> dict[str, Any]:
    """The tables of a file over those of the suite that it extends."""
    try:
        table = read_toml(path)
    except (OSError, ValueError) as error:
        known = did_you_mean(name, suite_names())
        raise ConfigError(
            f"suite '{name}' cannot be read ({error}){known}; see: fedmvp list"
        ) from None
    for key, value in table.items():
        if key not in _KINDS:
            raise ConfigError(f"{path}: unknown key '{key}'{did_you_mean(key, list(_KINDS))}")
        if not isinstance(value, _KINDS[key]):
            kind = _KINDS[key].__name__
            raise ConfigError(f"{path}: {key} is {value!r}; allowed: a {kind}")
    for run, entry in table.get("runs", {}).items():
        if not isinstance(entry, dict) or not isinstance(entry.get("config", {}), dict):
            raise ConfigError(f"{path}: runs.{run} is {entry!r}; allowed: what a run file holds")
    parent = table.pop("extends", "")
    if not parent:
        return table
    if parent == path.stem:
        raise ConfigError(f"{path}: extends is '{parent}', which is this suite itself")
    inherited = _read(suites_folder() / f"{parent}.toml", parent)
    config = merged(inherited.get("config", {}), table.get("config", {}))
    return {**inherited, **table, "config": config}


def _runs(table: dict[str, Any], path: Path) -> Iterator[SuiteRun]:
    """Every run with every combination of the grid, in the order of the file."""
    axes = {key: _axis(key, values, path) for key, values in table.get("grid", {}).items()}
    averaged = table.get("mean-over", "")
    if averaged and averaged not in axes:
        raise ConfigError(f"{path}: mean-over is '{averaged}'; its axes: {', '.join(axes)}")
    shared = {"supernodes": table["supernodes"]} if "supernodes" in table else {}
    for name, entry in table["runs"].items():
        for place in itertools.product(*(axis.items() for axis in axes.values())):
            changed = (keys for _, keys in place)
            config = merged(table.get("config", {}), entry.get("config", {}), *changed)
            entry_table = {**shared, **entry, "config": config}
            if "supernodes" in config:
                entry_table["supernodes"] = config.pop("supernodes")
            labels = dict(zip(axes, (label for label, _ in place), strict=True))
            full = "-".join([name, *labels.values()])
            run = named_run_from(full, entry_table, f"{path} [{full}]")
            mean = "-".join([name, *(labels | {averaged: "mean"}).values()]) if averaged else ""
            first = all(label == next(iter(axes[axis])) for axis, label in labels.items())
            yield SuiteRun(run, mean, first, name, "-".join(labels.values()))


def _axis(key: str, values: object, path: Path) -> dict[str, dict[str, Scalar]]:
    """Label -> the run-config keys that go with it."""
    if isinstance(values, list) and values:
        return {str(value).replace("/", "_"): {key: value} for value in values}
    if isinstance(values, dict) and values and all(isinstance(v, dict) for v in values.values()):
        return values
    raise ConfigError(
        f"{path}: the axis '{key}' of the grid is {values!r}; allowed: a list of values of that "
        "run-config key, or a table label -> config"
    )


def _published(table: Mapping[str, Any], path: Path) -> dict[tuple[str, str], Mapping[str, float]]:
    """Percent to fractions."""
    published: dict[tuple[str, str], Mapping[str, float]] = {}
    for run, kinds in table.items():
        if not isinstance(kinds, dict) or not kinds or set(kinds) - {CLEAN, ROBUST}:
            raise ConfigError(f"{path}: [published.{run}] must hold clean, robust or both")
        for kind, splits in kinds.items():
            if not isinstance(splits, dict) or not all(
                isinstance(v, int | float) and 0 <= v <= 100 for v in splits.values()
            ):
                raise ConfigError(
                    f"{path}: [published.{run}] {kind} is {splits}; allowed: 0 to 100 (percent)"
                )
            published[run, kind] = {split: value / 100 for split, value in splits.items()}
    return published


def _attacks(table: Mapping[str, Any], path: Path) -> SuiteAttacks:
    kinds = {"names": list, "epsilons": list, "steps": int, "images": int, "alarm": int}
    for key, value in table.items():
        if key not in kinds or not isinstance(value, kinds[key]):
            allowed = ", ".join(f"{name} (a {kind.__name__})" for name, kind in kinds.items())
            raise ConfigError(f"{path}: [attacks] has {key} = {value!r}; allowed: {allowed}")
    return SuiteAttacks(**table)


def with_root(run: NamedRun, root: Path | None) -> NamedRun:
    """The run on the data below a folder, which takes the place of {root} in its values.

    Raises:
        ConfigError: it names {root} and there is none.
    """
    config = dict(run.config)
    for key, value in config.items():
        if isinstance(value, str) and ROOT in value:
            if root is None:
                raise ConfigError(
                    f"{run.name}: {key} is '{value}'; say --root DIR, the folder that holds the "
                    "data sets' folders"
                )
            config[key] = value.replace(ROOT, str(root.absolute()))
    return replace(run, config=config)


def parse_seeds(words: Sequence[str]) -> list[int]:
    """Whole numbers, with blanks or commas between them; raises ConfigError."""
    numbers = " ".join(words).replace(",", " ").split()
    for number in numbers:
        if not number.isdigit():
            raise ConfigError(f"seeds has '{number}'; allowed: whole numbers from 0, such as 1 2 3")
    return list(dict.fromkeys(map(int, numbers)))
