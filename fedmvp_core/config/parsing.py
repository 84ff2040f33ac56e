"""Reading a flat kebab-case mapping into a RunConfig."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, get_type_hints

from fedmvp_core.config.folding import MOVED, folded, is_option
from fedmvp_core.config.keys import RunConfig
from fedmvp_core.config.rules import check_together
from fedmvp_core.config.values import check_value
from fedmvp_core.config.words import did_you_mean, kebab
from fedmvp_core.errors import ConfigError


def key_kinds() -> dict[str, Any]:
    """Every run-config key with its type and what its value may be."""
    return {
        kebab(name): kind
        for section in get_type_hints(RunConfig).values()
        for name, kind in get_type_hints(section, include_extras=True).items()
    }


def parse_config(mapping: Mapping[str, Any]) -> RunConfig:
    """Check a flat kebab-case mapping that holds every key; options may be keys of their own.

    Raises:
        ConfigError: a key is unknown or missing, or a value is of the wrong type, out of range, or
            contradicts another; the message names the key, the value and what is allowed.
    """
    sections, kinds = get_type_hints(RunConfig), key_kinds()
    for key in mapping:
        if key not in kinds and key not in MOVED and not is_option(key):
            raise ConfigError(f"unknown run-config key '{key}'{did_you_mean(key, list(kinds))}")
    mapping = folded(mapping)
    missing = sorted(set(kinds) - set(mapping))
    if missing:
        raise ConfigError(f"run-config lacks the keys {', '.join(missing)}")
    values = {
        key.replace("-", "_"): check_value(key, mapping[key], kind) for key, kind in kinds.items()
    }
    config = RunConfig(
        **{
            name: section(**{field.name: values[field.name] for field in fields(section)})
            for name, section in sections.items()
        }
    )
    check_together(config)
    return config
