"""The run's configuration against the defaults, and the command that repeats the run."""

import shlex
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import simulations
from simulations.report.run_data import RunData

# These say where files go, not what is computed.
PLACES = ("output-dir", "cache-dir", "overwrite")


@dataclass(frozen=True)
class Setting:
    """One key; `default` is None where it is not known."""

    key: str
    value: str
    default: str | None

    @property
    def changed(self) -> bool:
        return self.default is not None and self.value != self.default and self.key not in PLACES


@cache
def default_config() -> dict[str, Any]:
    """[tool.flwr.app.config] of the installed project, or {} where it is not found."""
    package = Path(simulations.__file__).parent
    for path in (package / "app" / "pyproject.toml", package.parent / "pyproject.toml"):
        if path.is_file():
            content = tomllib.loads(path.read_text(encoding="utf-8"))
            if content.get("project", {}).get("name") == "fedmvp":
                return dict(content["tool"]["flwr"]["app"]["config"])
    return {}


def settings(run: RunData) -> list[Setting]:
    """Every key of the run, in the order of config.json."""
    defaults = default_config()
    return [
        Setting(key, text(value), text(defaults[key]) if key in defaults else None)
        for key, value in run.config.items()
    ]


def reproduce_command(run: RunData) -> str:
    """`fedmvp run` with each key that differs from its default, or has none that is known."""
    defaults = default_config()
    words = ["fedmvp", "run"]
    for key, value in run.config.items():
        if key not in PLACES and (key not in defaults or text(value) != text(defaults[key])):
            words.append(shlex.quote(f"{key}={text(value)}"))
    return " ".join(words)


def text(value: Any) -> str:
    """A value as it is written in a run configuration: true, 3, 0.5, word."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return f"{value:.1f}"
    return str(value)
