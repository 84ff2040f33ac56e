"""What secure aggregation rules out is said by name, before anything starts."""

from typing import Any

import pytest
from run_configs import run_config

from fedmvp_core.config import RunConfig
from fedmvp_core.config.secure import OF_THE_MEAN
from fedmvp_core.errors import ConfigError
from fedmvp_core.registry import AGGREGATIONS, names_in

SECURE = {"secure_aggregation": True, "max_update_norm": 0.0}


def secure(**more: Any) -> RunConfig:
    return run_config(**(SECURE | more))


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"aggregation": "krum"}, "aggregation is 'krum' .* the server sees no single update"),
        ({"aggregation": "fedmedian"}, "aggregation is 'fedmedian'"),
        ({"aggregation": "fedtrimmedavg"}, "aggregation is 'fedtrimmedavg'"),
        ({"aggregation": "scaffold"}, "aggregation is 'scaffold'"),
        ({"max_update_norm": 20.0}, "max-update-norm is 20 .* whose length .*; allowed with it: 0"),
        ({"wire_dtype": "int8"}, "wire-dtype is 'int8' .* allowed with it: float32"),
        ({"privacy": "local"}, "privacy is 'local' .* clipping-norm; allowed with it: none"),
        ({"privacy": "central"}, "privacy is 'central'"),
        ({"stress_attack": "sign-flip"}, "stress-attack is 'sign-flip' .* none, label-flip"),
        ({"secagg_threshold": 1}, "secagg-threshold is 1; allowed: 2 or more, or 0"),
        (
            {"share_metrics": False, "weighting": "examples"},
            "uniform, or secure-aggregation=true with max-examples above 0",
        ),
    ],
)
def test_what_it_rules_out(keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        secure(**keys)


@pytest.mark.parametrize("aggregation", OF_THE_MEAN)
def test_means_and_optimisers_of_means_go_with_it(aggregation: str) -> None:
    assert aggregation in names_in(AGGREGATIONS)
    secure(aggregation=aggregation)


def test_weights_need_not_be_told_where_they_are_bounded() -> None:
    config = secure(share_metrics=False, weighting="examples", max_examples=100)
    assert config.federation.weighting == "examples"
