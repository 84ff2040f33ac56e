"""What the shell completes: names of runs, methods, suites, ..., found without torch."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

import typer

from fedmvp_core.config.parsing import key_kinds
from fedmvp_core.config.values import OneOf
from fedmvp_core.data.readers.table import READERS
from fedmvp_core.errors import FedMVPError
from fedmvp_core.registry import ATTACKS, names_in
from simulations.plugins.listing import KINDS
from simulations.plugins.scaffold import KINDS as NEW_KINDS
from simulations.runner.named_runs import load_named_run, run_names
from simulations.runner.results import run_folders
from simulations.suite.files import suite_names

RUNS = Path("runs")
APP = "app"  # what `fedmvp new` writes beside plugins

Offered = list[str | tuple[str, str]]  # a word, or a word and what it is


def runs(ctx: typer.Context, incomplete: str) -> Offered:
    """The runs of the output folder."""
    folder = ctx.params.get("output_dir") or RUNS
    return _beginning(incomplete, [path.name for path in run_folders(Path(folder))])


def run_words(ctx: typer.Context, incomplete: str) -> Offered:
    """A named run as the first word; then keys, and the names that a key may have for its value."""
    before = [str(word) for word in ctx.params.get("words") or []]
    key, equals, begun = incomplete.partition("=")
    if equals:
        return [f"{key}={value}" for value in values_of(key) if value.startswith(begun)]
    if len(before) > 1 and before[-1] == "=":  # bash takes a word apart at the sign
        return _beginning(incomplete, values_of(before[-2]))
    named = [] if before else [(name, _described(name)) for name in run_names()]
    keys = [f"{key}=" for key in key_kinds()]
    return [each for each in named if each[0].startswith(incomplete)] + _beginning(incomplete, keys)


def values_of(key: str) -> list[str]:
    """The words that a run-config key may be; nothing for numbers and texts."""
    kind = key_kinds().get(key)
    if kind is bool:
        return ["true", "false"]
    return [
        word
        for limit in get_args(kind)[1:]
        if isinstance(limit, OneOf)
        for word in limit.choices()
        if word
    ]


def _described(name: str) -> str:
    try:
        return load_named_run(name).description
    except FedMVPError:
        return ""


def suites(incomplete: str) -> Offered:
    """The shipped suites."""
    return _beginning(incomplete, suite_names())


def datasets(incomplete: str) -> Offered:
    """The data sets that have a folder."""
    return _beginning(incomplete, READERS)


def attacks(incomplete: str) -> Offered:
    """What `--attack` knows."""
    return _beginning(incomplete, names_in(ATTACKS))


def kinds(incomplete: str) -> Offered:
    """Of `fedmvp list`: methods, objectives, ..."""
    return _beginning(incomplete, KINDS)


def plugins(ctx: typer.Context, incomplete: str) -> Offered:
    """The plugins of the kind that the word before names."""
    kind = str(ctx.params.get("kind") or "")
    plural = next((word for word in KINDS if kind and word.startswith(kind[:-1])), "")
    return _beginning(incomplete, names_in(f"fedmvp.{plural}") if plural else ())


def new_kinds(incomplete: str) -> Offered:
    """Of `fedmvp new`."""
    return _beginning(incomplete, [*NEW_KINDS, APP])


def checked_kinds(incomplete: str) -> Offered:
    """Of `fedmvp check`."""
    return _beginning(incomplete, NEW_KINDS)


def _beginning(incomplete: str, words: Iterable[Any]) -> Offered:
    return [str(word) for word in words if str(word).startswith(incomplete)]
