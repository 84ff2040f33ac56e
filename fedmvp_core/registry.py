"""Plugins by name: methods, data sets, partitions, settings and strategies.

All of them, the built-in ones included, are entry points of an installed distribution, so another
package's method is found as ours are.
"""

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from fedmvp_core.errors import ConfigError

METHODS = "fedmvp.methods"
DATASETS = "fedmvp.datasets"
PARTITIONS = "fedmvp.partitions"
SETTINGS = "fedmvp.settings"
STRATEGIES = "fedmvp.strategies"


@cache
def _entries(group: str) -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=group)}


def names_in(group: str) -> tuple[str, ...]:
    """Sorted names of what is installed in a group."""
    return tuple(sorted(_entries(group)))


def find(group: str, name: str) -> Any:
    """Load what `name` stands for in `group`.

    Raises:
        ConfigError: nothing of that name is installed, or it cannot be loaded from its package.
    """
    entries = _entries(group)
    if name not in entries:
        kind = group.removeprefix("fedmvp.").removesuffix("s")
        raise ConfigError(f"{kind} is '{name}'; installed: {', '.join(names_in(group)) or 'none'}")
    try:
        return entries[name].load()
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"{group} '{name}' ({entries[name].value}) fails: {error}") from error
