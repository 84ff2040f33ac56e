"""CSV files as spreadsheets of any country write them: a header, and rows that know their line."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fedmvp_core.errors import DataError

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
UTF_16 = (b"\xff\xfe", b"\xfe\xff")  # what a file in it begins with
HINT = "sep="  # Excel's first line, which names the delimiter


@dataclass(frozen=True)
class Table:
    """rows: the line in which each begins, and column -> cell, stripped of spaces.

    notes: what was guessed.
    """

    columns: tuple[str, ...]
    rows: Sequence[tuple[int, dict[str, str]]]
    notes: tuple[str, ...] = ()


def read_table(file: Path) -> Table:
    """A CSV file with a header.

    Commas part the cells if the header has any, else what parts it into most cells: semicolons,
    tabs or bars. Rows without anything, and nameless empty columns at the end, are left out.

    Raises:
        DataError: it is missing or no text, a quote is not closed, a column has no name or that of
            another, or a row has more or fewer cells than the header.
    """
    text, before = _text(file), 0
    delimiter = text[len(HINT) : len(HINT) + 1] if text.lower().startswith(HINT) else ""
    if delimiter in DELIMITERS:
        text, before = text.partition("\n")[2], 1
    else:
        delimiter = _delimiter(text, file)
    lines = list(_lines(text, delimiter, file, before))
    if len(lines) < 2:
        raise DataError(f"table '{file}' has {len(lines)} lines; needed: a header and rows")
    (_, header), *rows = lines
    header = _without_tail(header, 1)
    if len(set(header)) < len(header) or not all(header[1:]):
        raise DataError(f"table '{file}' has columns without a name of their own: {header}")
    for line, row in rows:
        if len(_without_tail(row, len(header))) != len(header):
            raise DataError(
                f"line {line} of '{file}' has {len(row)} cells, the header {len(header)} (parted "
                f"by {DELIMITERS[delimiter]}; a cell that holds such needs quotes)"
            )
    named = [(line, dict(zip(header, row, strict=False))) for line, row in rows]
    note = f"the cells of {file.name} are parted by {DELIMITERS[delimiter]}"
    return Table(tuple(header), named, () if delimiter == "," else (note,))


def _text(file: Path) -> str:
    if file.is_dir():
        raise DataError(f"table '{file}' cannot be read: it is a folder")
    try:
        content = file.read_bytes()
    except OSError as error:
        raise DataError(f"table '{file}' cannot be read: {error.strerror or error}") from error
    try:
        return content.decode("utf-16" if content.startswith(UTF_16) else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"table '{file}' cannot be read: line {line} is not {error.encoding.upper()}; "
            "save it as CSV in UTF-8"
        ) from error


def _delimiter(text: str, file: Path) -> str:
    header = next((line for line in text.splitlines() if line.strip()), "")
    try:
        cells = {mark: len(next(csv.reader([header], delimiter=mark))) for mark in DELIMITERS}
    except csv.Error as error:
        raise DataError(f"table '{file}' cannot be read: its header: {error}") from error
    return "," if cells[","] > 1 else max(DELIMITERS, key=lambda mark: cells[mark])


def _lines(text: str, delimiter: str, file: Path, before: int) -> Iterator[tuple[int, list[str]]]:
    """What is not blank, with the number of its first line."""
    begin = before + 1
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if any(stripped):
                yield begin, stripped
            begin = before + reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"table '{file}' cannot be read: line {begin}: {error}") from error


def _without_tail(cells: list[str], least: int) -> list[str]:
    """Without the empty cells at the end, but for the first so many cells."""
    kept = len(cells)
    while kept > least and not cells[kept - 1]:
        kept -= 1
    return cells[:kept]
