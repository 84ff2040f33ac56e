"""Plugins by name: everything that a run's configuration names, the built-in ones included.

A plugin is an entry point of an installed distribution, so another package's method is found as
ours are. One whose name ends with a colon stands for all names that begin so, such as "hf:" for
"hf:uoft-cs/cifar10". docs/plugins.md shows how to write one.
"""

import logging
from collections.abc import Container
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from fedmvp_core.errors import ConfigError

METHODS = "fedmvp.methods"
PROMPTING = "fedmvp.prompting"
OBJECTIVES = "fedmvp.objectives"
TERMS = "fedmvp.terms"
AGGREGATIONS = "fedmvp.aggregations"
STRATEGIES = "fedmvp.strategies"
PARTITIONS = "fedmvp.partitions"
SETTINGS = "fedmvp.settings"
DATASETS = "fedmvp.datasets"
METRICS = "fedmvp.metrics"
ATTACKS = "fedmvp.attacks"
CALLBACKS = "fedmvp.callbacks"
GROUPS = (
    *(METHODS, PROMPTING, OBJECTIVES, TERMS, AGGREGATIONS, STRATEGIES),
    *(PARTITIONS, SETTINGS, DATASETS, METRICS, ATTACKS, CALLBACKS),
)
OURS = "fedmvp"  # the distribution whose names nobody else may take

logger = logging.getLogger(__name__)


@cache
def _entries(group: str) -> dict[str, EntryPoint]:
    """What is installed in a group; of two packages that declare a name the second is skipped."""
    found: dict[str, EntryPoint] = {}
    # Ours first, then by package, so that the order in which folders are read decides nothing.
    for entry in sorted(
        entry_points(group=group), key=lambda e: (package_of(e) != OURS, package_of(e))
    ):
        taken = found.setdefault(entry.name, entry)
        if taken.value != entry.value:
            logger.warning(
                "%s '%s' of package %s is skipped: package %s has that name",
                *(kind_of(group), entry.name, package_of(entry), package_of(taken)),
            )
    return found


def package_of(entry: EntryPoint) -> str:
    """The distribution that declares an entry point."""
    return entry.dist.name if entry.dist is not None else "unknown"


def kind_of(group: str) -> str:
    """What one of a group is called: "method" of "fedmvp.methods"."""
    word = group.removeprefix("fedmvp.")
    return {"strategies": "strategy", "prompting": "prompting"}.get(word, word.removesuffix("s"))


def names_in(group: str) -> tuple[str, ...]:
    """Sorted names of what is installed in a group."""
    return tuple(sorted(_entries(group)))


def package_named(group: str, name: str) -> str:
    """The package that an installed name comes from."""
    return package_of(_entries(group)[listed_as(name, _entries(group))])


def listed_as(name: str, names: Container[str]) -> str:
    """What `name` is listed as: its family, such as "hf:", if that is in `names`, else itself."""
    family, colon, rest = name.partition(":")
    return family + colon if rest and family + colon in names else name


def where_listed(group: str) -> str:
    """A clause that names the command which tells what is installed in a group."""
    if group == DATASETS:
        return "; see: fedmvp datasets list"
    return f"; see: fedmvp list {group.removeprefix('fedmvp.')}"


def declared(group: str, name: str) -> EntryPoint:
    """What is installed under a name, not loaded; raises ConfigError if nothing is."""
    entries = _entries(group)
    entry = entries.get(listed_as(name, entries))
    if entry is None:
        installed = ", ".join(names_in(group)) or "none"
        raise ConfigError(
            f"{kind_of(group)} is '{name}'; installed: {installed}{where_listed(group)}"
        )
    return entry


def find(group: str, name: str) -> Any:
    """Load what `name` stands for in `group`.

    Raises:
        ConfigError: nothing of that name is installed, or its package raises on import.
    """
    entry = declared(group, name)
    try:
        return entry.load()
    except Exception as error:  # whatever another package's module raises on import
        raise ConfigError(
            f"{kind_of(group)} '{name}' of package {package_of(entry)} ({entry.value}) fails: "
            f"{type(error).__name__}: {error}"
        ) from error


def usable_in(group: str) -> dict[str, Any]:
    """Everything of a group that loads; what fails is named in a warning, the rest stays usable."""
    found: dict[str, Any] = {}
    for name in names_in(group):
        try:
            found[name] = find(group, name)
        except ConfigError as error:
            logger.warning("%s; it is skipped", error)
    return found
