"""Words of the configuration: how a name is written as a key, and what a wrong one was meant as."""

import difflib


def kebab(name: str) -> str:
    """A field's name as a key."""
    return name.replace("_", "-")


def did_you_mean(word: str, known: list[str]) -> str:
    """A clause that offers the nearest known words, then lists all of them if they are few."""
    close = difflib.get_close_matches(word, known, n=3)
    listed = f"; known: {', '.join(sorted(known))}"
    return f"; did you mean {', '.join(close)}?" if close else listed
