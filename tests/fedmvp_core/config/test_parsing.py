"""The run configuration is checked once, and every message names key, value and what is allowed."""

import dataclasses
import math
from typing import Any, get_type_hints

import pytest
from run_configs import defaults, run_config

from fedmvp_core.config import RunConfig, parse_config
from fedmvp_core.errors import ConfigError


def test_keys_of_pyproject_are_the_fields() -> None:
    fields = [
        field.name.replace("_", "-")
        for section in get_type_hints(RunConfig).values()
        for field in dataclasses.fields(section)
    ]
    assert list(defaults()) == fields, "the same keys, in the same order"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            {"privacy": "central", "aggregation": "krum"},
            "aggregation is 'krum' but privacy is 'central'; allowed with it: fedavg",
        ),
        (
            {"privacy": "central", "weighting": "examples"},
            "weighting is 'examples' but privacy is 'central'; allowed with it: uniform",
        ),
        (
            {"share_metrics": False, "weighting": "examples"},
            "weighting is 'examples' but share-metrics is false; allowed with it: uniform",
        ),
        (
            {"share_metrics": False, "fraction_evaluate": 0.5},
            "fraction-evaluate is 0.5 but share-metrics is false; allowed with it: 0",
        ),
        (
            {"privacy": "local", "on_too_few": "repeat"},
            "on-too-few is 'repeat' but privacy is 'local', where a round played again spends "
            "again; allowed with it: 'stop'",
        ),
        (
            {"privacy": "local", "resume": "latest"},
            "resume is 'latest' but privacy is 'local'",
        ),
        ({"privacy": "local", "noise_multiplier": 0.0}, "noise-multiplier is 0; allowed: 0.1"),
    ],
)
def test_what_privacy_does_not_go_with(overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        run_config(**overrides)
    assert message in str(caught.value)


def test_seeded_local_noise_goes_with_rounds_played_again() -> None:
    """The second time the noise is the same, so nothing more is told."""
    seeded = {"privacy": "local", "dp_noise": "seeded"}
    assert run_config(**seeded, on_too_few="repeat", resume="latest").run.resume == "latest"


def test_defaults_are_allowed() -> None:
    config = parse_config(defaults())
    assert config.training.momentum == defaults()["momentum"]
    assert isinstance(config.training.learning_rate, float)
    assert config.as_mapping() == defaults()


def test_a_mapping_comes_back_as_it_went_in() -> None:
    config = run_config(rounds=3, template="one {class}")
    assert parse_config(config.as_mapping()) == config


def test_true_and_false_are_words_where_these_are_allowed() -> None:
    for value, word in ((True, "true"), (False, "false"), ("auto", "auto")):
        assert parse_config({**defaults(), "compile": value}).model.compile == word


def test_whole_numbers_are_accepted_where_fractions_are() -> None:
    config = run_config(learning_rate=3)
    assert config.training.learning_rate == 3.0
    assert isinstance(config.training.learning_rate, float)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        # of another type
        ("rounds", 2.0, "rounds is 2.0; allowed: a value of type int"),
        ("rounds", "5", "rounds is '5'; allowed: a value of type int"),
        ("rounds", True, "rounds is True; allowed: a value of type int"),
        ("momentum", "1", "momentum is '1'; allowed: a value of type float"),
        ("momentum", True, "momentum is True; allowed: a value of type float"),
        ("objective.alpha", "ten", "option alpha is 'ten'; allowed: a value of type float"),
        ("objective.alpha", True, "option alpha is 'true'; allowed: a value of type float"),
        ("overwrite", 1, "overwrite is 1; allowed: a value of type bool"),
        ("template", None, "template is None; allowed: a value of type str"),
        # out of range
        ("seed", -1, "seed is -1; allowed: 0 or more"),
        ("rounds", -1, "rounds is -1; allowed: 0 or more"),
        ("method.prompt-length", 0, "option prompt-length is 0; allowed: 1 to 64"),
        ("batch-size", 0, "batch-size is 0; allowed: 1 or more"),
        ("momentum", 1.5, "momentum is 1.5; allowed: 0 to 1"),
        ("fraction-train", 1.01, "fraction-train is 1.01; allowed: 0 to 1"),
        ("fraction-train", 0.0, "fraction-train is 0.0; allowed: above 0, up to 1"),
        ("learning-rate", math.nan, "learning-rate is nan; allowed: 0 or more"),
        ("learning-rate", math.inf, "learning-rate is inf; allowed: 0 or more"),
        ("weight-decay", -math.inf, "weight-decay is -inf; allowed: 0 or more"),
        ("momentum", math.nan, "momentum is nan; allowed: 0 to 1"),
        # other words
        ("precision", "fp16", "precision is 'fp16'; allowed: fp32, bf16"),
        ("compile", "yes", "compile is 'yes'; allowed: false, true, auto"),
        ("compile", 1, "compile is 1; allowed: a value of type str"),
        ("precision", True, "precision is True; allowed: a value of type str"),
        ("device", "tpu", "device is 'tpu'; allowed: auto, cpu, cuda"),
        ("method.lora-init", "ones", "option lora-init is 'ones'; allowed: zero, normal"),
        ("eval-split", "train", "eval-split is 'train'; allowed: test, validation"),
        ("weighting", "", "weighting is ''; allowed: uniform, examples"),
        ("method", "coop", "method is 'coop'; allowed: .*fedmvp.*zs-clip"),
        ("dataset", "mnist", "dataset is 'mnist'; allowed: .*emojidomains.*imagefolder"),
        ("dataset", "", "dataset is ''; allowed: .*emojidomains"),
        ("dataset", "emojidomains,mnist", "dataset is 'emojidomains,mnist'; .* commas between"),
        ("dataset", "emojidomains,", "dataset is 'emojidomains,'; allowed: .*emojidomains"),
        ("dataset", "emoji-objects, emoji-objects", "dataset is .*; different ones of them"),
        ("partition", "x", "partition is 'x'; allowed: by-domain, by-domain-and-class, dirichlet"),
        ("setting", "x", "setting is 'x'; allowed: .*base-to-new.*msst"),
        ("strategy", "x", "strategy is 'x'; allowed: ''"),
        ("aggregation", "x", "aggregation is 'x'; allowed: .*fedavg"),
        ("robust-attack", "x", "robust-attack is 'x'; allowed: none, .*pgd"),
        # sentences and names
        ("on-bad-image", "drop", "on-bad-image is 'drop'; allowed: error, skip"),
        ("template", "a photo.", "template is 'a photo.'; it must hold {class}"),
        ("attribute-template", "a {class}.", "attribute-template is .* must hold {attribute}"),
        ("attribute-template", "{attribute}", "attribute-template is .* must hold {class}"),
        ("run-name", "", "run-name is ''; allowed: a folder name without '/'"),
        ("run-name", "a/b", "run-name is 'a/b'; allowed: a folder name"),
        ("run-name", "..", "run-name is '..'; allowed: a folder name"),
    ],
)
def test_a_bad_value_is_refused(key: str, value: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message.replace("{", r"\{").replace("}", r"\}")):
        parse_config(defaults() | {key: value})


@pytest.mark.parametrize("key", ["dirichlet-alpha", "partition.dirichlet-alpha"])
def test_a_bad_option_is_refused_in_either_spelling(key: str) -> None:
    with pytest.raises(ConfigError, match=r"option dirichlet-alpha is 0; allowed: 0\.001 or"):
        parse_config(defaults() | {"partition": "dirichlet", key: 0.0})


def test_unknown_and_missing_keys_are_refused() -> None:
    with pytest.raises(ConfigError, match="unknown run-config key 'learning_rate'; did you mean l"):
        parse_config(defaults() | {"learning_rate": 0.1})
    with pytest.raises(
        ConfigError, match=r"unknown run-config key 'xyzzy'; known: activation-checkpointing, .*"
    ):
        parse_config(defaults() | {"xyzzy": 1})
    some = {key: value for key, value in defaults().items() if key not in ("seed", "momentum")}
    with pytest.raises(ConfigError, match="run-config lacks the keys momentum, seed"):
        parse_config(some)


def test_keys_that_contradict_each_other() -> None:
    with pytest.raises(
        ConfigError, match="'embedded' but backbone is 'ViT-B-16'; embedded weights"
    ):
        run_config(pretrained="embedded", backbone="ViT-B-16")


def test_a_configuration_is_frozen_and_hashable() -> None:
    config = run_config()
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.federation.rounds = 3  # type: ignore[misc]
    assert hash(config) == hash(run_config())
