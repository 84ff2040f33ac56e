"""When two names mean the same class, when two phrases say the same, and what joins them."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fedmvp_core.attributes.phrases import glue, name_key, phrase_key
from fedmvp_core.tasks import Task


@pytest.mark.parametrize("name", ["Alarm_Clock", "alarm clock", "ALARM-CLOCK", " alarmclock "])
def test_one_class(name: str) -> None:
    assert name_key(name) == "alarmclock"


@pytest.mark.parametrize("name", ["c", "c++", "c#", "c 2"])
def test_other_signs_keep_classes_apart(name: str) -> None:
    assert [other for other in ("c", "c++", "c#", "c 2") if name_key(other) == name_key(name)] == [
        name
    ]


@given(st.text())
@example("\u0339 \u0334")  # two marks that change places without the blank
def test_a_key_is_its_own_key(text: str) -> None:
    assert name_key(name_key(text)) == name_key(text)
    assert phrase_key(phrase_key(text)) == phrase_key(text)


def test_phrases() -> None:
    assert phrase_key(" Six  legs. ") == phrase_key("six legs")
    assert phrase_key("six legs") != phrase_key("sixlegs")


@pytest.mark.parametrize(
    ("phrase", "words"),
    [
        ("a long tail", "which is"),
        ("An orange beak", "which is"),
        ("used for cutting", "which is"),
        ("has four legs", "which"),
        ("often striped", "which"),
        ("typically found in kitchens", "which"),
        ("may be folded", "which"),
        ("can fly", "which"),
        ("long tail", "which has"),
        ("angular ears", "which has"),
        ("canvas roof", "which has"),
        ("maybe wings", "which has"),
        ("", "which has"),
    ],
)
def test_glue(phrase: str, words: str) -> None:
    assert glue(phrase) == words


def test_a_template_may_ask_for_it() -> None:
    task = Task(
        class_names=("cat", "{attribute}"),
        attributes=(("a pet", "soft fur", "can climb"), ("{glue} {class}",)),
        template="a photo of a {class}.",
        attribute_template="a photo of a {class}, {glue} {attribute}.",
    )
    assert task.attribute_sentences(0) == [
        "a photo of a cat, which is a pet.",
        "a photo of a cat, which has soft fur.",
        "a photo of a cat, which can climb.",
    ]
    assert task.attribute_sentences(1) == [
        "a photo of a {attribute}, which has {glue} {class}.",
    ]
