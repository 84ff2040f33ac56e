"""KEY=VALUE words are read by the type of their default."""

import pytest

from fedmvp_core.errors import ConfigError
from simulations.runner.overrides import parse_overrides
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
