"""The run's configuration against the defaults, and the command that repeats the run."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fedmvp_core.config import PUBLISHED, parse_config
from fedmvp_core.config.words import text
from fedmvp_core.errors import ConfigError
from simulations.report.run_data import RunData
from simulations.runner.named_runs import load_named_run
from simulations.runner.project import default_config

# Keys that say where files go, not what is computed.
FILE_KEYS = ("output-dir", "cache-dir", "overwrite")


@dataclass(frozen=True)
class ReportedKey:
    """One key of the run's configuration; `default` is None where it is not known."""

    key: str
    value: str
    default: str | None

    @property
    def changed(self) -> bool:
        return self.default is not None and self.value != self.default and self.key not in FILE_KEYS


def settings(run: RunData) -> list[ReportedKey]:
    """Every key of the run, in the order of config.json."""
    defaults = default_config()
    return [
        ReportedKey(key, text(value), text(defaults[key]) if key in defaults else None)
        for key, value in run.config.items()
    ]


def reproduce_command(run: RunData, clients: int) -> str:
    """`fedmvp run` with each key that it would not choose by itself."""
    defaults, named = default_config(), _demo()
    published = _set_by_protocol(run)
    words = ["fedmvp", "run"]
    for key, value in run.config.items():
        # 0 clients means one for each supernode, of which there were so many.
        said = clients if key == "clients" and not value else value
        # `fedmvp run` may begin at the demo's keys, so that what the demo changes is said as well.
        chosen = {text(source[key]) for source in (defaults, named) if key in source}
        if key not in FILE_KEYS and (chosen != {text(said)} or key in published):
            words.append(shlex.quote(f"{key}={text(said)}"))
    return " ".join(words)


def _set_by_protocol(run: RunData) -> set[str]:
    """The keys that protocol=published would choose otherwise than the defaults, if it is on."""
    if run.config.get("protocol") != PUBLISHED:
        return set()
    from fedmvp_core.methods.published import published_keys  # imports torch

    try:
        return published_keys(parse_config({**default_config(), **run.config}))
    except ConfigError:  # of a plugin that is not installed here
        return set()


def _demo() -> Mapping[str, Any]:
    try:
        return load_named_run("demo").config
    except ConfigError:
        return {}
