"""`fedmvp list`: the runs of a folder, and what can be named in a configuration."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from fedmvp_core.registry import ATTACKS, GROUPS, names_in
from fedmvp_core.run_folder import CONFIG, read_object, read_status
from simulations.attack.names import ATTACK_NAMES
from simulations.commands import completing
from simulations.commands.options import OUTPUT_DIR, OutputDir
from simulations.console import Console
from simulations.runner.named_runs import load_named_run, run_names
from simulations.runner.results import final_accuracies, run_folders, shown
from simulations.suite.files import suite_names


def list_(
    kind: Annotated[
        str,
        typer.Argument(
            help="A kind of plugin: methods, objectives, aggregations, ...",
            autocompletion=completing.kinds,
        ),
    ] = "",
    name: Annotated[
        str,
        typer.Argument(
            help="One of the kind: its source and options.", autocompletion=completing.plugins
        ),
    ] = "",
    output_dir: OutputDir = OUTPUT_DIR,
) -> None:
    """List runs, plugins, attacks, named runs and suites; or the plugins of one kind.

    Example: fedmvp list methods fedmvp
    """
    console = Console()
    if not kind:
        list_command(console, output_dir)
        return
    from simulations.plugins.listing import kind_table, plugin_tables

    for table in plugin_tables(kind, name) if name else [kind_table(kind)]:
        console.print(table)


def list_command(console: Console, output_dir: Path) -> None:
    """Print the runs, then the plugins, the attacks, the named runs and the suites."""
    folders = run_folders(output_dir)
    if folders:
        console.print(runs_table(folders, output_dir))
    else:
        console.print(f"no runs in {output_dir.absolute()}", soft_wrap=True)
    console.print(plugins_table())
    console.print(attacks_table())
    console.print(named_runs_table())
    console.print(f"suites (fedmvp suite NAME): {', '.join(suite_names())}", highlight=False)


def runs_table(folders: list[Path], output_dir: Path) -> Table:
    """One row for each run: status, method, rounds, final accuracies."""
    accuracies = {folder: _accuracies(folder) for folder in folders}
    splits = list(dict.fromkeys(split for values in accuracies.values() for split in values))
    table = Table(title=f"runs in {output_dir}", title_justify="left")
    table.add_column("run", overflow="fold")  # a name that is cut short names nothing
    for column in ("status", "method"):
        table.add_column(column)
    for column in ("rounds", *splits):
        table.add_column(column, justify="right")
    for folder, values in accuracies.items():
        status = read_status(folder)
        method = str(read_object(folder / CONFIG).get("method", "?"))
        rounds = f"{status.get('rounds-completed', '?')}/{status.get('rounds', '?')}"
        cells = (shown(values.get(split)) for split in splits)
        table.add_row(folder.name, str(status.get("status", "?")), method, rounds, *cells)
    return table


def plugins_table() -> Table:
    """What is installed in each group."""
    table = Table("kind", "installed", title="plugins", title_justify="left")
    for group in GROUPS:
        names = ", ".join(names_in(group)) or "none"
        table.add_row(group.removeprefix("fedmvp."), names)
    return table


def attacks_table() -> Table:
    """What `robust-attack` and `fedmvp attack --attack` know."""
    table = Table("name", "what it is", title="attacks", title_justify="left")
    for name in names_in(ATTACKS):
        table.add_row(name, ATTACK_NAMES.get(name, ("", ""))[1])
    return table


def named_runs_table() -> Table:
    """The runs that `fedmvp run NAME` knows."""
    table = Table("name", "clients", "what it is", title="named runs", title_justify="left")
    for name in run_names():
        run = load_named_run(name)
        table.add_row(name, str(run.supernodes or ""), run.description)
    return table


def _accuracies(folder: Path) -> dict[str, float | None]:
    try:
        return {split: tuned for split, (_, tuned) in final_accuracies(folder).items()}
    except Exception:  # a damaged run must not hide the others
        return {}
