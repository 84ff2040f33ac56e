"""When two names mean the same class, and two phrases say the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedmvp_core.attributes.names import name_key, phrase_key


@pytest.mark.parametrize("name", ["Alarm_Clock", "alarm clock", "ALARM-CLOCK", " alarmclock "])
def test_one_class(name: str) -> None:
    assert name_key(name) == "alarmclock"


@pytest.mark.parametrize("name", ["c", "c++", "c#", "c 2"])
def test_other_signs_keep_classes_apart(name: str) -> None:
    assert [other for other in ("c", "c++", "c#", "c 2") if name_key(other) == name_key(name)] == [
        name
    ]


@given(st.text())
def test_a_key_is_its_own_key(text: str) -> None:
    assert name_key(name_key(text)) == name_key(text)
    assert phrase_key(phrase_key(text)) == phrase_key(text)


def test_phrases() -> None:
    assert phrase_key(" Six  legs. ") == phrase_key("six legs")
    assert phrase_key("six legs") != phrase_key("sixlegs")
