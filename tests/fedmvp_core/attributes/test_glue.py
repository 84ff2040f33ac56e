"""The words between a class and an attribute."""

import pytest

from fedmvp_core.attributes.glue import glue
from fedmvp_core.tasks import Task


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
