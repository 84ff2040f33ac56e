"""KEY=VALUE words are read by the type of their default."""

import pytest

from fedmvp_core.errors import ConfigError
from simulations.runner.overrides import merged, parse_overrides
from simulations.runner.project import default_config

DEFAULTS = {"rounds": 20, "alpha": 10.0, "overwrite": True, "template": "a {class}.", "seed": 1}


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("rounds=3", {"rounds": 3}),
        ("alpha=3", {"alpha": 3.0}),
        ("alpha=1/4", {"alpha": 0.25}),
        ("alpha=1e-3", {"alpha": 0.001}),
        ("overwrite=no", {"overwrite": False}),
        ("overwrite=True", {"overwrite": True}),
        ("template=my {class} = yours", {"template": "my {class} = yours"}),
        ("template='quoted {class}'", {"template": "quoted {class}"}),
        ("template=", {"template": ""}),
    ],
)
def test_value_takes_the_type_of_the_default(word, expected):
    parsed = parse_overrides([word], DEFAULTS)
    assert parsed == expected
    assert [type(value) for value in parsed.values()] == [type(v) for v in expected.values()]


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("round=3", "unknown run-config key 'round'; did you mean rounds"),
        ("rounds=3.5", "rounds is '3.5'; allowed: a whole number"),
        ("rounds=many", "rounds is 'many'; allowed: a whole number"),
        ("alpha=1/0", "alpha is '1/0'; allowed: a number or a fraction"),
        ("overwrite=perhaps", "overwrite is 'perhaps'; allowed: true, false"),
        ("rounds", "'rounds' is no KEY=VALUE"),
    ],
)
def test_bad_word_is_named(word, sentence):
    with pytest.raises(ConfigError, match="^" + sentence.replace("?", r"\?")):
        parse_overrides([word], DEFAULTS)


def test_the_last_of_two_values_counts():
    assert parse_overrides(["seed=2", "seed=3"], DEFAULTS) == {"seed": 3}


def test_every_default_of_the_project_can_be_written_as_a_word():
    defaults = default_config()
    words = [f"{key}={value}" for key, value in defaults.items()]
    assert parse_overrides(words, defaults) == defaults


@pytest.mark.parametrize("value", ["4", "0.5", "1/2", "true", "007", "1e3", "random"])
def test_an_options_value_stays_a_word(value):
    """The plugin says of what type it is, so that a domain called 007 stays one."""
    assert parse_overrides([f"method.my-option={value}"], DEFAULTS) == {"method.my-option": value}


def test_a_kind_that_is_none_is_named():
    sentence = "unknown run-config key 'methd.lora-rank': no kind of plugin is called 'methd'; did"
    with pytest.raises(ConfigError, match=sentence + " you mean method"):
        parse_overrides(["methd.lora-rank=4"], DEFAULTS)


def test_a_key_of_the_first_version_is_read_as_it_was():
    assert parse_overrides(["lora-rank=4", "class-specific=yes"], DEFAULTS) == {
        "lora-rank": 4,
        "class-specific": True,
    }


def test_a_later_word_wins_over_earlier_options():
    whole, single = "method-options=lora-rank=4 prompt-length=2", "method.lora-rank=8"
    defaults = {"method-options": ""}
    assert parse_overrides([whole, single], defaults) == {
        "method-options": "lora-rank=4 prompt-length=2",
        "method.lora-rank": "8",
    }
    assert parse_overrides([single, whole], defaults) == {
        "method-options": "lora-rank=4 prompt-length=2"
    }


def test_an_old_key_takes_the_place_of_the_option_in_an_earlier_text() -> None:
    file = {"method-options": "lora-rank=4 prompt-length=2"}
    assert merged(file, {"lora-rank": 2}) == {
        "method-options": "prompt-length=2",
        "lora-rank": 2,
    }
    words = ["method-options=lora-rank=4", "lora-rank=8"]
    assert parse_overrides(words, {"method-options": ""}) == {
        "method-options": "",
        "lora-rank": 8,
    }


def test_options_of_several_places():
    file = {"rounds": 2, "method.lora-rank": 4, "objective.alpha": 1.0, "setting-options": "a=1"}
    assert merged(file, {"method.lora-rank": "8"})["method.lora-rank"] == "8"
    assert merged(file, {"method-options": ""}) == {
        "rounds": 2,
        "objective.alpha": 1.0,
        "setting-options": "a=1",
        "method-options": "",
    }
    assert merged(file, {"lora-rank": 2}) == {
        "rounds": 2,
        "objective.alpha": 1.0,
        "setting-options": "a=1",
        "lora-rank": 2,
    }
