"""Single options, and the keys of version 0.1, in the option texts of their kinds."""

import logging
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from run_configs import defaults

from fedmvp_core.config import RunConfig, Scalar, parse_config
from fedmvp_core.config.folding import KINDS, MOVED, folded, is_option
from fedmvp_core.config.options import option_names, options_type, parse_options
from fedmvp_core.errors import ConfigError
from fedmvp_core.registry import find, names_in

# Another value than its default, for every key that was moved.
OTHER: dict[str, Scalar] = {
    **{"prompt-length": 7, "attention-heads": 2, "lora-rank": 5, "lora-threshold": 0.25},
    **{"prompt-init": "random", "lora-init": "normal", "context-length": 3},
    **{"class-specific": True, "deep-length": 3, "deep-depth": 2, "coupling": "independent"},
    **{"coupled-prompts": True, "pad-size": 4, "attack-prompt": "constant", "perturb-rate": 0.5},
    **{"alpha": 10.0, "beta": 1.0, "capt-weight": 0.5, "alpha-cons": "constant"},
    **{"alpha-cons-value": 0.25, "alpha-cons-per": "batch"},
    **{"target-domain": "photo", "source-domain": "photo", "target-datasets": "a,b"},
    **{"label-split": "splits/x.json", "classes-per-client": 3, "dirichlet-alpha": 0.1},
    **{"malicious-share": 0.3, "selected-clients": 2},
}


def parsed(**keys: Any) -> RunConfig:
    return parse_config(defaults() | {"privacy": "none"} | keys)


def readers(key: str) -> list[tuple[str, str, str]]:
    """Every plugin that has the option of an old key: kind, its name, and the option's name."""
    kind, _, option = MOVED[key][0].partition(".")
    return [
        (kind, name, option)
        for name in names_in(KINDS[kind])
        if option in option_names(options_type(find(KINDS[kind], name)))
    ]


def test_every_moved_key_has_a_reader_and_another_value() -> None:
    assert OTHER.keys() == MOVED.keys()
    for key, (_, default) in MOVED.items():
        assert readers(key), key
        assert OTHER[key] != default


@pytest.mark.parametrize("key", MOVED)
def test_an_old_key_means_the_same_as_its_new_spelling(
    key: str, caplog: pytest.LogCaptureFixture
) -> None:
    spelling, value = MOVED[key][0], OTHER[key]
    for kind, name, option in readers(key):
        caplog.clear()
        old = parsed(**{kind: name, key: value})
        said = f"{key}={value} is now written {spelling}={value}; the old spelling works until"
        assert said in caplog.text
        caplog.clear()
        new = parsed(**{kind: name, spelling: value})
        assert not caplog.records
        written = str(value).lower() if isinstance(value, bool) else str(value)
        assert old == new == parsed(**{kind: name, f"{kind}-options": f"{option}={written}"})
        assert old.as_mapping()[f"{kind}-options"] == f"{option}={written}"


@pytest.mark.parametrize("key", MOVED)
def test_an_old_key_at_its_default_changes_nothing_and_says_nothing(
    key: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A configuration that version 0.1 wrote names every key; most have no reader."""
    default = MOVED[key][1]
    assert parsed(**{key: default}) == parsed()
    for kind, name, _ in readers(key):
        assert parsed(**{kind: name, key: default}) == parsed(**{kind: name})
    assert not caplog.records


def test_an_old_key_that_nobody_reads_warns(caplog: pytest.LogCaptureFixture) -> None:
    assert parsed(method="capt", **{"prompt-length": 7}) == parsed(method="capt")
    assert "prompt-length is 7, which method 'capt' does not read" in caplog.text
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_an_old_key_of_a_kind_that_is_not_chosen_warns(caplog: pytest.LogCaptureFixture) -> None:
    """A method that trains nothing has no objective."""
    assert parsed(method="hep", alpha=10.0, beta=6.0) == parsed(method="hep")
    assert "alpha is 10.0, but no objective is chosen to read it" in caplog.text
    assert len(caplog.records) == 1


@pytest.mark.parametrize("key", ["lora-rank", "method.lora-rank"])
def test_a_bad_value_names_the_owner_in_either_spelling(key: str) -> None:
    with pytest.raises(ConfigError, match="method 'fedmvp': option lora-rank is 0; allowed: 1 to"):
        parsed(method="fedmvp", **{key: 0})


# --- what wins


def test_a_single_option_wins_over_the_text_and_the_text_over_an_old_key() -> None:
    found = parsed(
        method="fedmvp",
        **{"lora-rank": 1, "prompt-length": 2, "attention-heads": 2},
        **{"method-options": "prompt-length=3 attention-heads=8", "method.attention-heads": 1},
    )
    assert found.model.method_options == "prompt-length=3 attention-heads=1 lora-rank=1"


def test_options_are_those_of_the_chosen_plugin() -> None:
    with pytest.raises(ConfigError, match="method 'capt' has no option 'lora-rank'"):
        parsed(method="capt", **{"method.lora-rank": 4})
    with pytest.raises(ConfigError, match="objective-options are 'alpha=1', but no objective"):
        parsed(method="hep", **{"objective-options": "alpha=1"})
    with pytest.raises(ConfigError, match="but no objective is chosen"):
        parsed(method="hep", **{"objective.alpha": 1})


def test_the_options_of_a_methods_own_objective_are_known() -> None:
    """They are of the method's default objective unless another is named."""
    found = parsed(method="capt", **{"objective.capt-weight": 0.5})
    assert (found.model.objective, found.model.objective_options) == ("", "capt-weight=0.5")
    with pytest.raises(ConfigError, match="objective 'trades' has no option 'capt-weight'"):
        parsed(method="capt", objective="trades", **{"objective.capt-weight": 0.5})


def test_keys_of_options_are_told_from_others() -> None:
    assert is_option("method.lora-rank")
    assert is_option("strategy.eta")
    assert not is_option("method")
    assert not is_option("run.seed")
    with pytest.raises(ConfigError, match=r"unknown run-config key 'attacks\.steps'"):
        parsed(**{"attacks.steps": 3})


# --- strategies of version 0.1


def test_an_old_strategy_is_an_aggregation(caplog: pytest.LogCaptureFixture) -> None:
    found = parsed(strategy="krum", **{"malicious-share": 0.3})
    assert (found.federation.strategy, found.federation.aggregation) == ("", "krum")
    assert found == parsed(aggregation="krum", **{"aggregation.malicious-share": 0.3})
    assert "strategy=krum is now written aggregation=krum" in caplog.text


def test_an_old_strategy_beside_another_aggregation_is_refused() -> None:
    assert parsed(strategy="krum", aggregation="krum") == parsed(aggregation="krum")
    older = {key: value for key, value in defaults().items() if key != "aggregation"}
    assert parse_config(older | {"strategy": "krum"}) == parsed(aggregation="krum")
    with pytest.raises(ConfigError, match=r"strategy is 'krum', .* but aggregation is 'fedavgm'"):
        parsed(strategy="krum", aggregation="fedavgm")


# --- equal configurations have equal texts


@pytest.mark.parametrize(
    "keys",
    [
        {"method-options": "prompt-length=7 lora-rank=5"},
        {"method-options": "lora-rank=5  prompt-length=7"},
        {"method-options": "lora-rank='5' prompt-length=7 attention-heads=4"},
        {"method.lora-rank": 5, "method.prompt-length": 7},
        {"method.prompt-length": 7, "method-options": "lora-rank=5"},
        {"lora-rank": 5, "prompt-length": 7, "attention-heads": 4},
        {"lora-rank": 5, "method.prompt-length": 7, "method.lora-init": "zero"},
    ],
)
def test_equal_options_have_equal_texts(keys: dict[str, Any]) -> None:
    assert parsed(method="fedmvp", **keys).model.method_options == "prompt-length=7 lora-rank=5"


def test_defaults_are_left_out_however_they_are_written() -> None:
    assert parsed(method="capt", **{"objective-options": "capt-weight=2"}) == parsed(method="capt")
    assert parsed(method="capt", **{"objective.capt-weight": 2.0}) == parsed(method="capt")


def test_folding_twice_changes_nothing() -> None:
    once = folded(defaults() | {"method": "fedmvp", "lora-rank": 5, "objective.alpha": 1})
    assert folded(once) == once
    assert not [key for key in once if is_option(key) or key in MOVED]


def test_a_mapping_comes_back_as_it_went_in() -> None:
    config = parsed(
        **{"method": "fedmvp", "lora-rank": 5, "objective.alpha": 1, "strategy": "krum"},
        **{"partition": "dirichlet", "dirichlet-alpha": 0.1, "setting": "msst"},
        **{"setting-options": "target-domain='a sketch'"},
    )
    mapping = config.as_mapping()
    assert mapping.keys() == defaults().keys()
    assert parse_config(mapping) == config
    assert mapping["setting-options"] == "target-domain='a sketch'"


# --- whatever is written

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.lists(st.integers(), max_size=2),
)


def taken_or_refused(keys: dict[str, Any]) -> tuple[RunConfig | None, str]:
    """The configuration, or why it is refused; any other error than that is let through."""
    try:
        return parsed(**keys), ""
    except ConfigError as error:
        return None, str(error)


@settings(max_examples=150)
@given(st.sampled_from(sorted([*MOVED, *(spelling for spelling, _ in MOVED.values())])), VALUES)
def test_a_malformed_option_is_refused_with_a_sentence_or_taken_as_it_is(
    key: str, value: Any
) -> None:
    spelling = MOVED[key][0] if key in MOVED else key
    kind, _, option = spelling.partition(".")
    old = next(old for old, (new, _) in MOVED.items() if new == spelling)
    name = readers(old)[0][1]
    config, refused = taken_or_refused({kind: name, key: value})
    if config is None:
        assert option in refused
        return
    declared = options_type(find(KINDS[kind], name))
    options = parse_options(name, declared, str(config.as_mapping()[f"{kind}-options"]))
    found = getattr(options, option.replace("-", "_"))
    written = str(value).lower() if isinstance(value, bool) else str(value)
    as_written = str(found).lower() if isinstance(found, bool) else str(found)
    assert as_written == written or float(found) == float(value)


@pytest.mark.parametrize("key", ["target-datasets", "setting.target-datasets"])
@pytest.mark.parametrize("value", [None, [], ["a", "b"], {"a": 1}])
def test_an_option_that_is_no_single_value_is_refused(key: str, value: Any) -> None:
    """A list in a TOML file, say: as a text it would be another name than any that was meant."""
    with pytest.raises(ConfigError, match=f"{re.escape(key)} is .*; allowed: a number, true,"):
        parsed(setting="cross-dataset", **{key: value})
