"""What a text encoder does not read: an end is a warning, a class's name an error."""

import logging
from dataclasses import replace

import pytest

from fedmvp_core import sentences
from fedmvp_core.backbone import Backbone, FeatureCache, Tokenizer, load_tokenizer
from fedmvp_core.errors import ConfigError
from fedmvp_core.prompting.text_context import TextContext
from fedmvp_core.sentences import check_sentences
from fedmvp_core.tasks import Task, Wording, encode_task

LONG = " ".join(["cat"] * 40)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return load_tokenizer("tiny")


def task(*names: str, template: str = "a picture of a {class}.", phrase: str = "") -> Task:
    phrases = tuple((phrase,) if phrase else () for _ in names)
    return Task(names, phrases, template, "a {class}, which has {attribute}.")


def found(tokenizer: Tokenizer, one: Task) -> list[str]:
    return check_sentences(tokenizer, one.spoken(), len(one.class_names))


def test_what_fits_is_nothing_to_warn_of(tokenizer: Tokenizer) -> None:
    assert found(tokenizer, task("ant", "bee", phrase="six legs")) == []
    room = " ".join(["cat"] * (tokenizer.room - 1))  # exactly full
    assert tokenizer.count(f"ant {room}") == tokenizer.room == 30
    assert found(tokenizer, task("ant", template=f"{{class}} {room}")) == []


def test_a_cut_end_is_told_with_class_sentence_and_count(tokenizer: Tokenizer) -> None:
    (warning,) = found(tokenizer, task("ant", "bee", template=f"{{class}} {LONG}"))
    assert warning.startswith("the text encoder of 'tiny' reads 30 tokens and cuts the end of ")
    assert f"'ant {LONG}' of class 'ant' (41 tokens), 'bee {LONG}' of class 'bee' (" in warning
    (warning,) = found(tokenizer, task("ant", phrase=LONG))
    count = tokenizer.count(f"a ant, which has {LONG}.")
    assert f"'a ant, which has {LONG}.' of class 'ant' ({count} tokens)" in warning
    (warning,) = found(tokenizer, task(*"abcde", template=f"{{class}} {LONG}"))
    assert warning.endswith("and 2 more")


@pytest.mark.parametrize(
    "one",
    [
        task("ant", "bee", template=f"{LONG} {{class}}."),
        task("ant", LONG),  # the name alone
        task("ant " + " ".join(["cat"] * 26)),  # only its last word
        replace(task("ant", phrase=LONG), attribute_template="{attribute} of the {class}"),
        replace(task("x/ant"), wordings=(Wording("ant", f"{LONG} {{class}}", "{class}"),)),
    ],
)
def test_a_cut_name_is_an_error(one: Task, tokenizer: Tokenizer) -> None:
    with pytest.raises(ConfigError, match=r"reads 30, which cuts the name of class '.*ends at"):
        found(tokenizer, one)


def test_names_that_share_what_is_left_are_an_error(tokenizer: Tokenizer) -> None:
    # Both names are read, the second's plain sentence goes on past the end.
    same = " ".join(["cat"] * 28)
    one = Task(
        ("a", "b"),
        ((), ()),
        "",
        "",
        wordings=(
            Wording("a", f"{{class}} {same} a b", ""),
            Wording("a", f"{{class}} {same} a c", ""),
        ),
    )
    with pytest.raises(ConfigError, match="classes 'a' and 'b' are the same in the 30 tokens"):
        found(tokenizer, one)


def test_classes_that_read_the_same_uncut_are_told(tokenizer: Tokenizer) -> None:
    assert found(tokenizer, task("Ant", "bee", "ant")) == [
        "the classes 'Ant' and 'ant' are the same to the text encoder: 'a picture of a ant.'"
    ]
    many = found(tokenizer, task("ANT", "ANt", "Ant", "ant", "aNT"))
    assert many[-1] == "1 more pairs of classes are the same to the text encoder"


@pytest.mark.parametrize("word", ["<end_of_text>", "<END_OF_TEXT>"])
def test_the_tokenizer_s_own_words_are_refused(word: str, tokenizer: Tokenizer) -> None:
    with pytest.raises(ConfigError, match=r"of class 'ant' holds the word at which .* stops"):
        found(tokenizer, task("ant", phrase=f"six legs {word} and more"))


def test_encoding_checks_and_warns_once(
    tiny_backbone: Backbone,
    memory_cache: FeatureCache,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sentences, "_warned", set())
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            encode_task(tiny_backbone, task("ant", phrase=LONG), memory_cache)
    assert len(caplog.records) == 1
    with pytest.raises(ConfigError, match="cuts the name of class"):
        encode_task(tiny_backbone, task(LONG), memory_cache)


def test_learned_words_that_push_a_name_out(tiny_backbone: Backbone) -> None:
    context = TextContext(tiny_backbone.text_width, ("ant",), length=24)
    context.check_task(tiny_backbone, task("ant", "bee"))
    with pytest.raises(ConfigError, match=r"context-length puts 24 words before 'cat cat cat cat"):
        context.check_task(tiny_backbone, task("ant", "cat cat cat cat cat cat"))
