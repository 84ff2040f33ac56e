"""Run configurations for tests: the defaults of pyproject.toml, with some keys overridden."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from fedmvp_core.config import RunConfig, parse_config

PROJECT = Path(__file__).resolve().parents[2]


# What tests count on, whatever the defaults of the main job come to be.
PINNED = {
    "method": "fedmvp",
    "dataset": "emojidomains",
    "attribute_weight": 0.25,
    "pretrained": "",
    "device": "cpu",
    "robust_attack": "none",
    "rounds": 20,
    "local_epochs": 2,
    "learning_rate": 0.1,
    "attack_steps": 3,
    "overwrite": True,
}
PINNED_OPTIONS = {
    "capt": {"objective.capt-weight": 1.0},
    "fedmvp-capt": {"objective.capt-weight": 1.0},
}

# A run of a minute on a real engine: two rounds of two pictures a class.
SHORT = {
    "dataset": "emojidomains",
    "rounds": 2,
    "shots": 2,
    "local-epochs": 2,
    "batch-size": 4,
}


@cache
def _defaults() -> dict[str, Any]:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    defaults: dict[str, Any] = project["tool"]["flwr"]["app"]["config"]
    return defaults


def defaults() -> dict[str, Any]:
    """Every run-config key with the default that pyproject.toml gives it."""
    return dict(_defaults())


def run_config(**overrides: Any) -> RunConfig:
    """FedMVP with random weights on the CPU, and no attack; overrides in snake_case."""
    objective = overrides.get("objective") or overrides.get("method", PINNED["method"])
    changed = {**PINNED, **PINNED_OPTIONS.get(objective, {}), **overrides}
    return parse_config(
        defaults() | {key.replace("_", "-"): value for key, value in changed.items()}
    )
