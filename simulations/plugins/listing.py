"""What `fedmvp list KIND` and `fedmvp list KIND NAME` show of plugins."""

import inspect
from collections.abc import Iterator
from typing import Any

from rich.table import Table

from fedmvp_core.config import did_you_mean
from fedmvp_core.config.options import OptionDescription, describe, options_type
from fedmvp_core.config.words import kebab
from fedmvp_core.data.readers.table import READERS
from fedmvp_core.errors import ConfigError, FedMVPError
from fedmvp_core.registry import (
    ATTACKS,
    DATASETS,
    GROUPS,
    METHODS,
    STRATEGIES,
    find,
    package_named,
    usable_in,
)
from simulations.attack.names import ATTACK_NAMES
from simulations.plugins.sizes import Size, method_sizes
from simulations.report.configuration import text

KINDS = tuple(group.removeprefix("fedmvp.") for group in GROUPS)
SIZED_AS = "ViT-B-16"


def group_of(kind: str) -> str:
    """The entry-point group of a kind, such as "methods"; raises ConfigError for an unknown one."""
    if kind not in KINDS:
        raise ConfigError(f"kind is '{kind}'{did_you_mean(kind, list(KINDS))}")
    return f"fedmvp.{kind}"


def kind_table(kind: str) -> Table:
    """Name, source and package of all of a kind that loads; the rest is named in warnings."""
    group = group_of(kind)
    table = Table(title=kind, title_justify="left")
    table.add_column("name", no_wrap=True)
    table.add_column("what it is, or where it is from", overflow="fold")
    table.add_column("package", overflow="fold")
    for name, plugin in usable_in(group).items():
        table.add_row(name, source_of(group, name, plugin), package_named(group, name))
    return table


def source_of(group: str, name: str, plugin: Any) -> str:
    """A plugin's paper or source; of one that names none, the first sentence about it."""
    if group == ATTACKS and name in ATTACK_NAMES:
        return ATTACK_NAMES[name][1]
    for field in ("paper", "source"):
        if isinstance(said := getattr(plugin, field, None), str):
            return said
    if group == DATASETS and name in READERS:
        return f"{READERS[name].expected_classes} classes, read from {READERS[name].folder}"
    described = inspect.isfunction(plugin) or inspect.isclass(plugin)
    return _first_sentence(inspect.getdoc(plugin) or "") if described else ""


def _first_sentence(text: str) -> str:
    paragraph = " ".join(text.split("\n\n")[0].split())
    sentence, stop, _ = paragraph.partition(". ")
    return sentence + stop.strip()


def plugin_tables(kind: str, name: str) -> Iterator[Table]:
    """All about one plugin: where it is from, its options, and of a method its prompt tensors.

    Raises:
        ConfigError: it is not installed, fails on import, or declares no proper options.
    """
    group = group_of(kind)
    plugin = find(group, name)
    yield _facts_table(group, name, plugin)
    options = options_of(group, plugin)
    if options:
        yield _options_table(options)
    if group == METHODS:
        yield _sizes_table(name)


def options_of(group: str, plugin: Any) -> list[OptionDescription]:
    """Its options; of a whole Flower strategy, the arguments of its constructor."""
    return _arguments(plugin) if group == STRATEGIES else describe(options_type(plugin))


def _arguments(strategy: Any) -> list[OptionDescription]:
    parameters = inspect.signature(strategy).parameters.values()
    return [
        OptionDescription(kebab(p.name), p.default, type(p.default).__name__, "")
        for p in parameters
        if isinstance(p.default, bool | int | float | str)
    ]


def _facts_table(group: str, name: str, plugin: Any) -> Table:
    table = Table(title=name, title_justify="left", box=None, show_header=False, pad_edge=False)
    table.add_column("what", no_wrap=True)
    table.add_column("value", overflow="fold")
    table.add_row("from", source_of(group, name, plugin))
    table.add_row("package", package_named(group, name))
    if group == METHODS:
        table.add_row("objective", plugin.objective or "none: it trains nothing")
        table.add_row("prompting", _prompting_name(plugin.prompting))
    return table


def _prompting_name(prompting: Any) -> str:
    if isinstance(prompting, str):
        return prompting
    return f"its own ({getattr(prompting, '__module__', '?')})"


def _options_table(options: list[OptionDescription]) -> Table:
    table = Table(title="options", title_justify="left")
    table.add_column("option", no_wrap=True)
    for column in ("default", "allowed", "meaning"):
        table.add_column(column, overflow="fold")
    for option in options:
        shown = text(option.default) or "''"
        table.add_row(option.name, shown, option.allowed, option.meaning)
    return table


def _sizes_table(name: str) -> Table:
    table = Table("phase", title=f"prompt tensors at {SIZED_AS}", title_justify="left")
    table.add_column("elements that are sent", justify="right")
    try:
        sizes = method_sizes(name, SIZED_AS)
    except FedMVPError as error:
        table.add_row("unknown", str(error))
        return table
    for size in sizes:
        table.add_row(size.phase, _size(size))
    return table


def _size(size: Size) -> str:
    personal = f", and {size.personal:,} that stay at the client" if size.personal else ""
    classes = f" with {size.classes} classes" if size.classes else ""
    return f"{size.elements:,}{classes}{personal}"
