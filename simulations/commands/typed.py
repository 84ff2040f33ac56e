"""Typer as all commands use it: what an argument is stands in its help."""

import inspect
from collections.abc import Callable
from typing import Any, get_args, get_type_hints

import click
import typer
from typer.core import TyperArgument, TyperCommand
from typer.models import ArgumentInfo

_CLICK_SUGGESTS = hasattr(click.exceptions, "NoSuchCommand")  # from 8.5 on


class _Command(TyperCommand):
    """Gives arguments their help back, which click 8.5 takes from typer's."""

    def __init__(self, name: str | None, **options: Any) -> None:
        super().__init__(name, **options)
        hints = get_type_hints(inspect.unwrap(options["callback"]), include_extras=True)
        for parameter in self.params:
            if isinstance(parameter, TyperArgument) and not parameter.help:
                said = [a for a in get_args(hints[parameter.name]) if isinstance(a, ArgumentInfo)]
                parameter.help = said[0].help if said else None


class Commands(typer.Typer):
    """A list of commands; what is near to a mistyped one is named once."""

    def __init__(self, **options: Any) -> None:
        super().__init__(suggest_commands=not _CLICK_SUGGESTS, **options)

    def command(self, name: str | None = None, **options: Any) -> Callable[..., Any]:  # type: ignore[override]
        """As typer's."""
        return super().command(name, cls=_Command, **options)
