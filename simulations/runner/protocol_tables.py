"""What protocol=published sets, and what differs from each released code, for a terminal."""

from rich.console import Console
from rich.table import Table

from fedmvp_core.config import PUBLISHED, RunConfig
from fedmvp_core.config.folding import is_option
from fedmvp_core.methods import Method
from fedmvp_core.methods.differences import HEADINGS, differences_of
from fedmvp_core.methods.published import departures, option_default, shown
from fedmvp_core.registry import METHODS, find
from simulations.runner.project import default_config


def print_protocol(console: Console, config: RunConfig) -> None:
    """Print both tables; nothing with protocol=ours."""
    if config.model.protocol != PUBLISHED:
        return
    console.print(published_table(config))
    console.print(differences_table(config.model.method))


def published_table(config: RunConfig) -> Table:
    """Every published value, this project's default, and what the run has."""
    method: Method = find(METHODS, config.model.method)
    nothing = "" if method.published else ": nothing is public, so nothing is set"
    table = _table(
        f"protocol=published, {method.paper}{nothing}", "key", "published", "ours", "run"
    )
    otherwise = {one.key: one.here for one in departures(config)}
    for key, value in method.published.items():
        here = "as published"
        if key in otherwise:
            found = otherwise[key]
            here = "not read" if found is None else f"{shown(found)} (departs)"
        table.add_row(key, shown(value), _default(key, config), here)
    return table


def differences_table(method: str) -> Table:
    """The table of docs/methods.md, the rows about the run's method first."""
    table = _table("what differs from each released code", *HEADINGS)
    for difference in differences_of(method):
        table.add_row(*difference.row)
    return table


def _default(key: str, config: RunConfig) -> str:
    """This project's default of a key or option."""
    value = default_config()[key] if not is_option(key) else option_default(key, config)
    return "-" if value is None else shown(value)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
