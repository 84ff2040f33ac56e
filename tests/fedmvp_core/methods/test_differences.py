"""The table of differences: one source, told in full on its page."""

from pathlib import Path

import pytest

from fedmvp_core.methods.differences import (
    CODES,
    DIFFERENCES,
    HEADINGS,
    differences_of,
)
from fedmvp_core.registry import METHODS, names_in

PAGE = Path(__file__).resolve().parents[3] / "docs" / "methods.md"


def test_the_page_holds_the_table_row_by_row() -> None:
    text = PAGE.read_text(encoding="utf-8")
    start, end = "<!-- differences: fedmvp_core/methods/differences -->\n", "<!-- end of diff"
    lines = text.partition(start)[2].partition(end)[0].strip().splitlines()
    cells = [tuple(cell.strip() for cell in line.strip("|").split(" | ")) for line in lines]
    assert cells[0] == HEADINGS
    assert set(cells[1]) == {"---"}
    assert cells[2:] == [row.row for row in DIFFERENCES]


def test_no_cell_is_empty_or_would_break_the_table() -> None:
    for row in DIFFERENCES:
        assert all(cell and "|" not in cell and "\n" not in cell for cell in row.row), row


def test_a_difference_is_told_once() -> None:
    told = [(code, row.what) for row in DIFFERENCES for code in row.codes]
    assert len(set(told)) == len(told)


def test_every_method_and_every_code_is_known() -> None:
    assert set(CODES) == set(names_in(METHODS))
    assert {code for row in DIFFERENCES for code in row.codes} == {
        code for codes in CODES.values() for code in codes
    }


@pytest.mark.parametrize("name", CODES)
def test_the_method_s_own_rows_come_first_and_none_is_lost(name: str) -> None:
    rows = differences_of(name)
    assert sorted(rows) == sorted(DIFFERENCES)
    own = [bool(set(CODES[name]) & set(row.codes)) for row in rows]
    assert own == sorted(own, reverse=True)
    assert any(own) == (name != "zs-clip")
