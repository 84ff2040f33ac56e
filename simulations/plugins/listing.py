"""What `fedmvp list KIND` and `fedmvp list KIND NAME` show of plugins."""

import logging
from collections.abc import Iterator, Sequence

from rich.table import Table

from fedmvp_core.config import did_you_mean
from fedmvp_core.errors import ConfigError
from fedmvp_core.registry import GROUPS, METHODS, names_in, package_named
from simulations.plugins.about import SIZED_AS, About, about, sizes

KINDS = tuple(group.removeprefix("fedmvp.") for group in GROUPS)

logger = logging.getLogger(__name__)


def group_of(kind: str) -> str:
    """The entry-point group of a kind, such as "methods"; raises ConfigError for an unknown one."""
    if kind not in KINDS:
        raise ConfigError(f"kind is '{kind}'{did_you_mean(kind, list(KINDS))}; see: fedmvp list")
    return f"fedmvp.{kind}"


def kind_table(kind: str) -> Table:
    """Name, source and package of all of a kind that loads; the rest is named in warnings."""
    group = group_of(kind)
    table = Table(title=kind, title_justify="left")
    table.add_column("name", no_wrap=True)
    table.add_column("what it is, or where it is from", overflow="fold")
    table.add_column("package", overflow="fold")
    for name in names_in(group):
        try:
            table.add_row(name, about(group, name).source, package_named(group, name))
        except ConfigError as error:
            logger.warning("%s; it is skipped", error)
    return table


def plugin_tables(kind: str, name: str) -> Iterator[Table]:
    """All about one plugin: where it is from, its options, and of a method its prompt tensors.

    Raises:
        ConfigError: it is not installed, fails on import, or declares no proper options.
    """
    group = group_of(kind)
    plugin = about(group, name)
    yield _facts_table(group, name, plugin)
    if plugin.options:
        yield _options_table(plugin.options)
    if group == METHODS:
        yield _sizes_table(sizes(name))


def _facts_table(group: str, name: str, plugin: About) -> Table:
    table = Table(title=name, title_justify="left", box=None, show_header=False, pad_edge=False)
    table.add_column("what", no_wrap=True)
    table.add_column("value", overflow="fold")
    table.add_row("from", plugin.source)
    table.add_row("package", package_named(group, name))
    for what, value in plugin.facts.items():
        table.add_row(what, value)
    return table


def _options_table(options: Sequence[Sequence[str]]) -> Table:
    table = Table(title="options", title_justify="left")
    table.add_column("option", no_wrap=True)
    for column in ("default", "allowed", "meaning"):
        table.add_column(column, overflow="fold")
    for name, default, allowed, meaning in options:
        table.add_row(name, default or "''", allowed, meaning)
    return table


def _sizes_table(phases: Sequence[Sequence[str]]) -> Table:
    table = Table("phase", title=f"prompt tensors at {SIZED_AS}", title_justify="left")
    table.add_column("elements that are sent", justify="right")
    for row in phases:
        table.add_row(*row)
    return table
