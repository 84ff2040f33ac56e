"""Options of plugins: how they are read, written, shown, and found."""

from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedmvp_core.config.options import (
    Between,
    NoOptions,
    OneOf,
    OptionDescription,
    changed_options,
    describe,
    option,
    option_names,
    option_words,
    options_text,
    options_type,
    parse_options,
)
from fedmvp_core.config.values import Epsilon
from fedmvp_core.errors import ConfigError

OWNER = "method 'theirs'"


@dataclass(frozen=True)
class Options:
    """One of each kind."""

    num_words: Annotated[int, Between(1, 64)] = option(4, "how many words")
    weight: Annotated[float, Between(0)] = option(1.0, "of the term")
    start: Annotated[str, OneOf(("", "zero", "normal"))] = option("zero", "how it begins")
    radius: Annotated[str, Epsilon()] = option("4/255", "of the ball")
    shared: bool = option(False, "the same for all")
    sentence: str = option("a {class}.", "what is said")


def read(text: str, base: Options | None = None) -> Options:
    return parse_options(OWNER, Options, text, base)


# --- reading


def test_no_text_is_the_defaults() -> None:
    assert read("") == read("   ") == Options()
    assert parse_options(OWNER, NoOptions, "") == NoOptions()


def test_values_have_the_declared_types() -> None:
    found = read("num-words=7 weight=2 start=normal radius=0.01 shared=true sentence=x")
    assert found == Options(7, 2.0, "normal", "0.01", True, "x")
    assert isinstance(found.weight, float)
    assert read("weight=1e-3").weight == 0.001
    assert read("start=").start == ""


def test_what_is_not_named_comes_from_the_base() -> None:
    base = Options(num_words=9, weight=3.0)
    assert read("weight=2", base) == Options(num_words=9, weight=2.0)
    assert base.weight == 3.0


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("sentence='one {class}, or two'", "one {class}, or two"),
        ('sentence="it is a {class}"', "it is a {class}"),
        ("'sentence=a b'", "a b"),
        ("sentence=a=b", "a=b"),
        ("sentence=5", "5"),
        ("sentence=true", "true"),
        ("sentence=#x", "#x"),
    ],
)
def test_a_value_may_be_quoted_and_text_stays_text(text: str, sentence: str) -> None:
    assert read(text).sentence == sentence


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("num-words=0", "option num-words is 0; allowed: 1 to 64"),
        ("num-words=65", "option num-words is 65; allowed: 1 to 64"),
        ("num-words=2.5", "option num-words is 2.5; allowed: a value of type int"),
        ("num-words=many", "option num-words is 'many'; allowed: a value of type int"),
        ("num-words=", "option num-words is ''; allowed: a value of type int"),
        ("weight=-1", "option weight is -1; allowed: 0 or more"),
        ("weight=nan", "option weight is nan; allowed: 0 or more"),
        ("weight=inf", "option weight is inf; allowed: 0 or more"),
        ("start=ones", "option start is 'ones'; allowed: '', zero, normal"),
        ("radius=8", "option radius: epsilon is '8'"),
        ("shared=1", "option shared is '1'; allowed: a value of type bool"),
        ("shared=True", "option shared is 'True'; allowed: a value of type bool"),
    ],
)
def test_a_bad_value_names_owner_option_value_and_what_is_allowed(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read(text)
    assert str(refused.value).startswith(f"{OWNER}: {message}")


def test_an_unknown_option_gets_the_nearest_of_its_owner() -> None:
    with pytest.raises(ConfigError, match=r"method 'theirs' has no option 'wieght'; did .* weight"):
        read("wieght=2")
    with pytest.raises(ConfigError, match="no option 'num_words'; did you mean num-words"):
        read("num_words=2")
    with pytest.raises(ConfigError, match="no option 'xyz'; known: num-words, radius, sentence, "):
        read("xyz=2")
    with pytest.raises(ConfigError, match="method 'theirs' has no option 'x'; it has none"):
        parse_options(OWNER, NoOptions, "x=2")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("weight=1 weight=2", "options of method 'theirs' name 'weight' twice"),
        ("weight", "options of method 'theirs' hold 'weight'; allowed: NAME=VALUE"),
        ("=2", "options of method 'theirs' hold '=2'; allowed: NAME=VALUE"),
        ("weight = 2", "hold 'weight'; allowed: NAME=VALUE"),
        ("sentence='a b", "options of method 'theirs' are 'sentence='a b': No closing quotation"),
    ],
)
def test_text_that_is_no_list_of_options_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        option_words(OWNER, text)
    assert message in str(refused.value)


# --- writing


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(
    st.builds(
        Options,
        st.integers(1, 64),
        st.floats(0, 1e300),
        st.sampled_from(["", "zero", "normal"]),
        st.sampled_from(["4/255", "0.5"]),
        st.booleans(),
        TEXTS,
    )
)
def test_what_is_written_is_read_back(options: Options) -> None:
    changed = changed_options(options)
    assert read(options_text(changed)) == options
    assert all(value != getattr(Options(), k.replace("-", "_")) for k, value in changed.items())


def test_the_written_form() -> None:
    options = Options(weight=2.0, shared=True, sentence="a b")
    assert changed_options(options) == {"weight": 2.0, "shared": True, "sentence": "a b"}
    assert options_text(changed_options(options)) == "weight=2.0 shared=true sentence='a b'"
    assert options_text({}) == ""
    names = ("num-words", "weight", "start", "radius", "shared", "sentence")
    assert option_names(Options) == names


# --- showing


def test_every_option_is_described() -> None:
    assert describe(Options) == [
        OptionDescription("num-words", 4, "1 to 64", "how many words"),
        OptionDescription("weight", 1.0, "float, 0 or more", "of the term"),
        OptionDescription("start", "zero", "'', zero, normal", "how it begins"),
        OptionDescription("radius", "4/255", "str", "of the ball"),
        OptionDescription("shared", False, "true, false", "the same for all"),
        OptionDescription("sentence", "a {class}.", "str", "what is said"),
    ]
    assert describe(NoOptions) == []


# --- finding


@dataclass(frozen=True)
class Plugin:
    options: Any


def annotated(images: object, options: Options) -> None: ...


def with_more(images: object, weight: float, options: Options) -> None: ...


def bare(images: object) -> None: ...


def test_a_field_or_an_annotation_names_the_options_class() -> None:
    assert options_type(Plugin(Options)) is Options
    assert options_type(annotated) is Options
    assert options_type(partial(with_more, weight=2.0)) is Options
    assert options_type(bare) is NoOptions
    assert options_type(Plugin(None)) is NoOptions
    assert options_type(object()) is NoOptions


def unreadable(images: object, options: "NowhereOptions") -> None: ...  # type: ignore[name-defined]  # noqa: F821


def unreadable_elsewhere(images: "Nowhere") -> None: ...  # type: ignore[name-defined]  # noqa: F821


def test_an_annotation_that_cannot_be_read_is_no_plugin_without_options() -> None:
    with pytest.raises(ConfigError, match=r"annotations of .*unreadable.* 'NowhereOptions' is not"):
        options_type(unreadable)
    assert options_type(unreadable_elsewhere) is NoOptions


@dataclass(frozen=True)
class WithoutDefault:
    """Nobody could leave its options out."""

    size: int
    depth: int
    weight: float = option(1.0, "of it")


@dataclass(frozen=True)
class WithFactory:
    """A list has no text."""

    sizes: list[int] = field(default_factory=list)


def test_a_class_without_defaults_is_refused_by_its_name() -> None:
    with pytest.raises(ConfigError, match="class WithoutDefault has no default for size, depth"):
        options_type(Plugin(WithoutDefault))
    with pytest.raises(ConfigError, match="class WithFactory has no default for sizes"):
        options_type(Plugin(WithFactory))


@pytest.mark.parametrize("declared", [dict, Options(), "Options", {"weight": 1.0}])
def test_anything_but_a_dataclass_is_refused(declared: Any) -> None:
    with pytest.raises(ConfigError, match=r"options of .*Plugin.* are .*; allowed: a frozen datac"):
        options_type(Plugin(declared))
