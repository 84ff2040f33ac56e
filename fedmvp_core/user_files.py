"""Text files that users write: UTF-8 with or without a byte order mark, JSON and TOML.

What is wrong is a ValueError of one sentence with its place; the callers say which file it is.
"""

import json
import re
import tomllib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

Pairs = list[tuple[str, Any]]

_MARKS = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
_SHOWN = 40  # characters of the file's own words
_FENCED = re.compile(r"\s*```[\w-]*[ \t]*\n(?P<inside>.*)\n[ \t]*```\s*", re.DOTALL)
_STRING = r'"(?:\\.|[^"\\\n])*"'
_NO_NUMBER = re.compile(rf"{_STRING}|-?(?:NaN|Infinity)")
_HINTS = (
    (re.compile(r"//|/\*|#"), "JSON has no comments"),
    (re.compile(r"'"), "JSON's names and strings have double quotes"),
    (re.compile(r"[\u201c\u201d\u201e\u00ab\u00bb]"), "JSON's quotes are straight ones: \""),
    (re.compile(r"True|False|None"), "JSON writes true, false and null"),
    (re.compile(r"[\]}]"), "a comma stands before it, or a value is missing"),
)


def read_text(path: Path) -> str:
    """The text of a file, without a byte order mark.

    Raises:
        OSError: it cannot be opened.
        ValueError: it is no UTF-8; the sentence says what it may be.
    """
    data = path.read_bytes()
    for mark, encoding in _MARKS.items():
        if data.startswith(mark):
            raise ValueError(f"it is {encoding} text; save it as UTF-8")
    if b"\x00" in data[:4]:
        raise ValueError("it is UTF-16 text, or no text at all; save it as UTF-8")
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line, byte = before.count(b"\n") + 1, data[error.start]
        raise ValueError(
            f"line {line} holds the byte 0x{byte:02x}, which is no UTF-8 (it may be Latin-1 or "
            "Windows-1252 text); save it as UTF-8"
        ) from None


def read_json(path: Path, pairs: Callable[[Pairs], Any] | None = None) -> Any:
    """The content of a JSON file, see parse_json.

    Raises:
        OSError: it cannot be opened.
        ValueError: it is no UTF-8 or no JSON; the sentence gives line and column.
    """
    return parse_json(read_text(path), pairs)


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises:
        OSError: it cannot be opened.
        ValueError: it is no UTF-8 or no TOML; the sentence gives line and column.
    """
    try:
        return tomllib.loads(read_text(path))
    except RecursionError:
        raise ValueError("its arrays or tables are nested too deeply") from None


def parse_json(text: str, pairs: Callable[[Pairs], Any] | None = None) -> Any:
    """The content of JSON, also of JSON in a code fence, as language models give it.

    pairs: makes an object of its names and values; without it, a name that comes twice is refused.

    Raises:
        ValueError: it is no JSON, NaN and Infinity included; the sentence gives line and column.
    """
    if not text.strip():
        raise ValueError("it is empty")
    fenced = _FENCED.fullmatch(text)
    if fenced:  # lines keep their numbers
        text = "\n" * text.count("\n", 0, fenced.start("inside")) + fenced["inside"]
    try:
        content = json.loads(text, object_pairs_hook=pairs or _once, parse_constant=_no_number)
        if r"\ud" in text.lower():  # half a character: nothing could print or save it
            json.dumps(content, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise ValueError(f"{_place(text, error.pos)}: {_reason(text, error)}") from None
    except _NoNumberError as error:
        found = next(m for m in _NO_NUMBER.finditer(text) if not m[0].startswith('"'))
        raise ValueError(f"{_place(text, found.start())}: {error} is no JSON number") from None
    except UnicodeEncodeError:
        raise ValueError(r"it holds half of a character (a lone \ud... escape)") from None
    except RecursionError:
        raise ValueError("its arrays or objects are nested too deeply") from None
    return content


class _NoNumberError(Exception):
    pass


def _no_number(name: str) -> Any:
    raise _NoNumberError(name)


def _once(pairs: Pairs) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        twice = sorted(name for name, times in Counter(names).items() if times > 1)
        raise ValueError(f"an object has names twice: {', '.join(map(repr, twice))}")
    return dict(pairs)


def _place(text: str, position: int) -> str:
    line = text.count("\n", 0, position) + 1
    return f"line {line}, column {position - text.rfind(chr(10), 0, position)}"


def _reason(text: str, error: json.JSONDecodeError) -> str:
    """The parser's own words, and what is likely meant where it stopped."""
    rest = text[error.pos :].lstrip()
    if not text[: error.pos].strip() and rest[:1] not in "[{":
        shown = rest[:_SHOWN].partition("\n")[0]
        return f"JSON begins with {{ or [, this with '{shown}'; leave out the words around it"
    if error.msg == "Extra data":
        return "there is more after the end of the JSON"
    # Python 3.13 points at a trailing comma, 3.11 and 3.12 at what follows it.
    hint = next((words for found, words in _HINTS if found.match(rest.lstrip(", \t\n"))), "")
    return f"{error.msg} ({hint})" if hint else error.msg
