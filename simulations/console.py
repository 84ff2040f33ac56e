"""The one console of the command line: what a user named is printed as it is.

Rich would read `[red]` in a class name as a colour and `:dog:` as an emoji, and would send a
control character to the terminal. Here only styles that the code names are obeyed. What cannot be
shown on the terminal is escaped, as Python writes it.
"""

import io
import re
import sys
from typing import Any

import rich.console
import rich.status
from rich.text import Text

from fedmvp_core.errors import printable

# All but the tab and the end of a line; surrogates stand for bytes of a name that are no UTF-8.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_ASCII_SPINNER = "line"


class Console(rich.console.Console):
    """A rich console without markup and emoji codes."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "markup": False, "emoji": False})

    def render_str(self, text: str, **options: Any) -> Text:  # type: ignore[override]
        """Text of a string, which stands for itself."""
        plain = {**options, "markup": False, "emoji": False}
        return super().render_str(shown(text, self.encoding), **plain)

    def status(self, status: Any, **options: Any) -> rich.status.Status:
        """As rich has it, with a spinner that a terminal without Unicode can show."""
        if not self.encoding.startswith("utf"):
            options.setdefault("spinner", _ASCII_SPINNER)
        words = Text(shown(status, self.encoding)) if isinstance(status, str) else status
        return super().status(words, **options)


def silent() -> Console:
    """A console whose words nobody sees."""
    return Console(file=io.StringIO())


def shown(text: str, encoding: str = "utf-8") -> str:
    """Text in which control characters, and what the encoding lacks, are escaped."""
    text = printable(text)
    plain = _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
    return plain.encode(encoding, "backslashreplace").decode(encoding)


def one_line(name: object) -> str:
    """A name, or a sentence with names, in which the end of a line is escaped too."""
    return shown(str(name)).replace("\n", "\\n").replace("\t", "\\t")


def escape_what_streams_lack() -> None:
    """Let standard output escape what it cannot encode, as standard error does by itself."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
