"""Epsilon is read from numbers and fractions, and nothing else."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedmvp_core.config.epsilon import parse_epsilon
from fedmvp_core.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4/255", 4 / 255),
        (" 4 / 255 ", 4 / 255),
        ("0.0157", 0.0157),
        (".5", 0.5),
        ("1e-2", 0.01),
        ("2.5/255", 2.5 / 255),
        (0, 0.0),
        (0.03, 0.03),
        (1, 1.0),
        ("-0", 0.0),
    ],
)
def test_numbers_and_fractions(text: str | float, value: float) -> None:
    assert parse_epsilon(text) == value
    assert str(parse_epsilon(text))[0] != "-"


@pytest.mark.parametrize(
    "text",
    ["", "four", "4/", "/255", "4/255/1", "4/0", "nan", "inf", "1/1e-400", "4,5", "0x1", "1e999",
     "-1/255", "2", "8", -0.1, 1.5, float("nan"), float("inf"), True, None, [1]],
)  # fmt: skip
def test_anything_else_is_refused_by_its_value(text: object) -> None:
    with pytest.raises(ConfigError, match=r"epsilon is .*0 to 1.*4/255") as refusal:
        parse_epsilon(text)  # type: ignore[arg-type]
    assert repr(text) in str(refusal.value)


def test_grey_levels_get_a_hint() -> None:
    with pytest.raises(ConfigError, match="write 8/255"):
        parse_epsilon("8")


@given(st.text(alphabet="0123456789.e-+/ nai∞"))
def test_no_text_does_anything_but_parse_or_be_refused(text: str) -> None:
    with contextlib.suppress(ConfigError):
        assert 0 <= parse_epsilon(text) <= 1


@given(st.floats(0, 1))
def test_what_python_prints_is_read_back(value: float) -> None:
    assert parse_epsilon(repr(value)) == value
