"""The run configuration: typed and checked once, at the edge.

What keys there are is in config_keys.py, what a value may be in config_values.py, which values go
together in config_rules.py.
"""

import difflib
from collections.abc import Mapping
from typing import Any, get_type_hints

from fedmvp_core.config_keys import (
    BY_DOMAIN,
    PLACES,
    STRESS_ATTACKS,
    RunConfig,
    dataset_names,
    kebab,
)
from fedmvp_core.config_rules import check_together
from fedmvp_core.config_values import Scalar, check_value
from fedmvp_core.errors import ConfigError

__all__ = [
    "BY_DOMAIN",
    "PLACES",
    "STRESS_ATTACKS",
    "RunConfig",
    "Scalar",
    "dataset_names",
    "did_you_mean",
    "parse_config",
]


def parse_config(mapping: Mapping[str, Any]) -> RunConfig:
    """Check a flat kebab-case mapping that holds every key.

    Raises:
        ConfigError: a key is unknown or missing, or a value is of the wrong type, out of range, or
            contradicts another; the message names the key, the value and what is allowed.
    """
    kinds = {
        kebab(name): kind for name, kind in get_type_hints(RunConfig, include_extras=True).items()
    }
    for key in mapping:
        if key not in kinds:
            raise ConfigError(f"unknown run-config key '{key}'{did_you_mean(key, list(kinds))}")
    missing = sorted(set(kinds) - set(mapping))
    if missing:
        raise ConfigError(f"run-config lacks the keys {', '.join(missing)}")
    values: dict[str, Any] = {
        key.replace("-", "_"): check_value(key, mapping[key], kind) for key, kind in kinds.items()
    }
    config = RunConfig(**values)
    check_together(config)
    return config


def did_you_mean(word: str, known: list[str]) -> str:
    """A clause that offers the nearest known words, or lists all of them."""
    close = difflib.get_close_matches(word, known, n=3)
    return (
        f"; did you mean {', '.join(close)}?" if close else f"; known: {', '.join(sorted(known))}"
    )
