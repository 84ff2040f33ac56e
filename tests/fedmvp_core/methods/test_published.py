"""protocol=published: the values of papers and codes, and where a run departs from them."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from run_configs import defaults, run_config

from fedmvp_core.config import RunConfig, parse_config
from fedmvp_core.config.folding import is_option
from fedmvp_core.errors import ConfigError
from fedmvp_core.methods import Method
from fedmvp_core.methods.differences import CODES, DIFFERENCES
from fedmvp_core.methods.published import departures, option_default, published_values
from fedmvp_core.registry import METHODS, find, names_in

Make = Callable[..., RunConfig]
# As the papers and codes have them; what stands in no row was not seen there.
PAPERS: dict[str, dict[str, Any]] = {
    "fedmvp": {
        **{"rounds": 100, "local-epochs": 1, "fraction-train": 1.0, "weighting": "uniform"},
        **{"learning-rate": 0.003, "momentum": 0.9, "weight-decay": 1e-5, "keep-momentum": True},
        **{"batch-size": 128, "shots": 8, "attribute-weight": 1.0, "objective.alpha": 10.0},
        **{"partition.cut": "published", "method.prompt-init": "random"},
        **{"method.lora-rank": 8, "method.lora-threshold": 0.5, "method.lora-init": "normal"},
        **{"method.prompt-length": 4, "method.attention-heads": 4, "augmentation": "none"},
    },
    "apt": {
        **{"rounds": 50, "learning-rate": 0.002, "warmup-rounds": 1, "warmup-rate": 1e-5},
        **{"batch-size": 32, "shots": 16, "attack-steps": 3, "attack-step-size": ""},
        **{"robust-steps": 100, "method.context-length": 16, "keep-momentum": True},
        **{"augmentation": "crops", "cached-views": 0},
    },
    "fap": {
        **{"rounds": 10, "learning-rate": 0.0035, "batch-size": 4, "shots": 16},
        **{"epsilon": "1/255", "attack-steps": 2, "attack-step-size": "1/255"},
        **{"robust-steps": 100, "method.deep-length": 2, "method.prompt-init": "random"},
        **{"augmentation": "none"},
    },
    "avp": {"learning-rate": 40.0, "epsilon": "1/255", "attack-steps": 2, "shots": 16},
    "paft": {"attack-steps": 3, "robust-steps": 100, "augmentation": "crops"},
    "hep": {"robust-steps": 100},
    "capt": {},
    "zs-clip": {},
    "promptfl": {
        **{"rounds": 20, "local-epochs": 5, "learning-rate": 0.001, "batch-size": 32},
        **{"weighting": "uniform", "method.context-length": 16, "augmentation": "crops"},
    },
    "fedtpg": {
        **{"rounds": 500, "local-epochs": 1, "learning-rate": 0.003, "batch-size": 200},
        **{"momentum": 0.9, "weight-decay": 1e-5, "shots": 8, "weighting": "uniform"},
        **{"augmentation": "none"},
    },
    "fedmaple": {"method.deep-length": 2, "method.prompt-init": "random"},
    "fedclip": {"rounds": 300, "batch-size": 32, "weighting": "uniform"},
    "fedotp": {
        **{"rounds": 10, "learning-rate": 0.001, "weighting": "examples"},
        **{"augmentation": "crops"},
    },
    "fedpgp": {"weighting": "examples", "augmentation": "crops"},
    "fedmgp": {
        **{"rounds": 10, "local-epochs": 2, "learning-rate": 0.001, "batch-size": 8},
        **{"method.groups": 5, "method.sent-groups": 2, "augmentation": "crops"},
    },
    "dualcoop": {"rounds": 50, "learning-rate": 0.001, "batch-size": 32},
    "fedmpt": {"local-epochs": 1, "learning-rate": 0.001, "augmentation": "none"},
    "positivecoop": {},
    "fedapt": {},
    "fedkeep": {},
}
PAPERS |= dict.fromkeys(("fedkgcoop", "fedcocoop", "fedvpt"), PAPERS["fedtpg"])
PAPERS["adv-maple"] = PAPERS["fap"]
PAPERS["fedmvp-capt"] = PAPERS["fedmvp"]


def published(method: str, **changes: Any) -> RunConfig:
    """A run with all published values of a method, and some changed."""
    plain = {**defaults(), "method": method, "protocol": "published"}
    return parse_config({**plain, **published_values(plain), **changes})


def method_of(name: str) -> Method:
    found: Method = find(METHODS, name)
    return found


@pytest.mark.parametrize("name", names_in(METHODS))
def test_published_values_are_those_of_papers_and_codes(name: str) -> None:
    values = method_of(name).published
    assert PAPERS[name].items() <= dict(values).items()
    assert bool(values) == bool(PAPERS[name])
    with pytest.raises(TypeError):
        values["rounds"] = 1  # type: ignore[index]


@pytest.mark.parametrize("name", names_in(METHODS))
def test_a_run_of_published_values_departs_nowhere(name: str) -> None:
    config = published(name)
    assert departures(config) == []
    assert config.model.protocol == "published"


def test_ours_departs_from_nothing() -> None:
    assert departures(run_config(method="fedmvp")) == []


def test_departures_are_named() -> None:
    config = published("fedmvp", **{"batch-size": 32, "objective.alpha": 3.0, "rounds": 5})
    assert sorted(str(one) for one in departures(config)) == [
        "batch-size is 32, published: 128",
        "objective.alpha is 3, published: 10",
        "rounds is 5, published: 100",
    ]


def test_a_radius_may_be_written_otherwise() -> None:
    assert departures(published("fap", epsilon=str(1 / 255))) == []
    (one,) = departures(published("fap", epsilon="2/255"))
    assert (one.key, one.published, one.here) == ("epsilon", "1/255", "2/255")


def test_an_option_that_the_run_s_plugins_lack_is_not_set_but_named() -> None:
    plain = {**defaults(), "method": "fedmvp", "partition": "iid", "objective": "cross-entropy"}
    plain |= {"protocol": "published"}
    values = published_values(plain)
    assert "partition.cut" not in values
    assert "objective.alpha" not in values
    assert departures(parse_config({**plain, **values})) == [
        ("partition.cut", "published", None),
        ("objective.alpha", 10.0, None),
    ]


def test_every_published_value_that_is_not_the_default_has_its_difference() -> None:
    """Completeness: no value is set whose difference no row tells of, and the other way round."""
    for name in names_in(METHODS):
        config = run_config(method=name)
        told = {k for row in DIFFERENCES if set(CODES[name]) & set(row.codes) for k in row.keys}
        for key, value in method_of(name).published.items():
            default = option_default(key, config) if is_option(key) else defaults()[key]
            assert value == default or key in told, (name, key)
    every = {key for name in names_in(METHODS) for key in method_of(name).published}
    assert {key for row in DIFFERENCES for key in row.keys} <= every


def test_another_protocol_is_refused() -> None:
    with pytest.raises(ConfigError, match="protocol is 'paper'; allowed: ours, published"):
        run_config(protocol="paper")


def test_published_values_travel_as_they_are() -> None:
    config = published("apt")
    assert parse_config(json.loads(json.dumps(config.as_mapping()))) == config
