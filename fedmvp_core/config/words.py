"""Words of the configuration: how a name is written as a key, and what a wrong one was meant as."""

import difflib
from typing import Any


def kebab(name: str) -> str:
    """A field's name as a key."""
    return name.replace("_", "-")


def did_you_mean(word: str, known: list[str]) -> str:
    """A clause that offers the nearest known words, then lists all of them if they are few."""
    close = difflib.get_close_matches(word, known, n=3)
    listed = f"; known: {', '.join(sorted(known))}"
    return f"; did you mean {', '.join(close)}?" if close else listed


def text(value: Any) -> str:
    """A value as it is written in a run configuration: true, 3, 0.5, word."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return f"{value:.1f}"
    return str(value)
