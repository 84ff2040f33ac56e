"""Words of the configuration: how a name is written as a key, and what a wrong one was meant as."""

import difflib
from collections.abc import Iterable
from typing import Any


def kebab(name: str) -> str:
    """A field's name as a key."""
    return name.replace("_", "-")


def did_you_mean(word: str, known: list[str]) -> str:
    """A clause that offers the nearest known words, then lists all of them if they are few."""
    return nearest(word, known) or f"; known: {', '.join(sorted(known))}"


def nearest(word: str, known: Iterable[str]) -> str:
    """A clause that offers the nearest known words; nothing, if none is near."""
    close = difflib.get_close_matches(word, known, n=3)
    return f"; did you mean {', '.join(close)}?" if close else ""


def text(value: Any) -> str:
    """A value as it is written in a run configuration: true, 3, 0.5, word."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return f"{value:.1f}"
    return str(value)
