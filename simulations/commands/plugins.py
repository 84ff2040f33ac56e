"""`fedmvp new` and `fedmvp check`: for authors of plugins."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from fedmvp_core.registry import declared
from simulations.commands import completing
from simulations.console import Console
from simulations.exit_codes import FAILED

Kind = Annotated[
    str,
    typer.Argument(
        metavar="KIND",
        help="method, objective, aggregation, strategy or callback.",
        show_default=False,
        autocompletion=completing.checked_kinds,
    ),
]
NewKind = Annotated[
    str,
    typer.Argument(
        metavar="KIND",
        help="method, objective, aggregation, strategy, callback; or app, for flwr run.",
        show_default=False,
        autocompletion=completing.new_kinds,
    ),
]


def new(
    kind: NewKind,
    name: Annotated[str, typer.Argument(help="What a run's configuration will call it.")],
    folder: Annotated[
        Path | None,
        typer.Option("--folder", help="Of the package. Default: fedmvp-NAME; of an app: NAME."),
    ] = None,
) -> None:
    """Write a package with one plugin that works at once, or an app for flwr run.

    Example: fedmvp new method mine
    """
    from simulations.plugins.new_app import write_app
    from simulations.plugins.scaffold import write_package

    if kind == completing.APP:
        paths = write_app(name, folder)
        steps = [f"flwr run {paths[0].parent} --stream"]
    else:
        paths = write_package(kind, name, folder)
        steps = [f"pip install -e {paths[0].parent}", f"fedmvp check {kind} {name}"]
    console = Console(soft_wrap=True, highlight=False)
    for path in paths:
        console.print(path)
    for word, step in zip(("\nnext:", "then:"), steps, strict=False):
        console.print(word, step)


def check(
    kind: Kind,
    name: Annotated[
        str,
        typer.Argument(help="An installed plugin of that kind.", autocompletion=completing.plugins),
    ],
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="Run-config keys to try it with."),
    ] = None,
) -> None:
    """Try whether a plugin keeps the contract of its kind.

    Example: fedmvp check aggregation krum
    """
    from simulations.plugins.scaffold import group_of
    from simulations.runner.overrides import parse_overrides
    from simulations.runner.project import default_config

    declared(group_of(kind), name)
    overrides = parse_overrides(words or [], default_config())
    from simulations.plugins.checking import findings  # with torch and Flower

    console, wrong = Console(), 0
    with _quiet_flower():
        for finding in findings(kind, name, overrides):
            wrong += bool(finding.wrong)
            style = "red" if finding.wrong else None
            console.print(str(finding), style=style, markup=False, highlight=False, soft_wrap=True)
    if wrong:
        raise typer.Exit(FAILED)


@contextmanager
def _quiet_flower() -> Iterator[None]:
    """Flower's strategies tell of every round that they are asked to make."""
    logger = logging.getLogger("flwr")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
