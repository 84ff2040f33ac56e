"""Plugins by name: methods, data sets, partitions, settings and strategies.

All of them, the built-in ones included, are entry points of an installed distribution, so another
package's method is found as ours are. One whose name ends with a colon stands for all names that
begin so, such as "hf:" for "hf:uoft-cs/cifar10".
"""

from collections.abc import Container
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


def listed_as(name: str, names: Container[str]) -> str:
    """What `name` is listed as: its family, such as "hf:", if that is in `names`, else itself."""
    family, colon, rest = name.partition(":")
    return family + colon if rest and family + colon in names else name


def find(group: str, name: str) -> Any:
    """Load what `name` stands for in `group`.

    Raises:
        ConfigError: nothing of that name is installed, or it cannot be loaded from its package.
    """
    entries = _entries(group)
    entry = entries.get(listed_as(name, entries))
    if entry is None:
        kind = group.removeprefix("fedmvp.").removesuffix("s")
        raise ConfigError(f"{kind} is '{name}'; installed: {', '.join(names_in(group)) or 'none'}")
    try:
        return entry.load()
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"{group} '{name}' ({entry.value}) fails: {error}") from error
