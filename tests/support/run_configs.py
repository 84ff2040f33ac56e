"""Run configurations for tests: the defaults of pyproject.toml, with some keys overridden."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from fedmvp_core.config import RunConfig, parse_config

PROJECT = Path(__file__).resolve().parents[2]


@cache
def _defaults() -> dict[str, Any]:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    defaults: dict[str, Any] = project["tool"]["flwr"]["app"]["config"]
    return defaults


def defaults() -> dict[str, Any]:
    """Every run-config key with the default that pyproject.toml gives it."""
    return dict(_defaults())


def run_config(**overrides: Any) -> RunConfig:
    """The defaults on the CPU with random weights and no attack; overrides in snake_case."""
    changed = {"pretrained": "", "device": "cpu", "robust_attack": "none", **overrides}
    return parse_config(
        defaults() | {key.replace("_", "-"): value for key, value in changed.items()}
    )
