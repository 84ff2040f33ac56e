"""`fedmvp compare`: runs side by side, on the terminal and as a page."""

from pathlib import Path
from typing import Annotated

import typer

from simulations.commands import completing
from simulations.commands.options import OUTPUT_DIR, Debug
from simulations.compare.chosen import check_output, chosen_runs
from simulations.console import Console

PAGE = Path("comparison.html")


def compare(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RUN RUN...",
            help="Run folders, or their names below runs/.",
            autocompletion=completing.runs,
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", help="The page, with the curves over each other.")
    ] = PAGE,
    show: Annotated[bool, typer.Option("--open", help="Open it in a browser.")] = False,
    debug: Debug = False,
) -> None:
    """Show what differs between runs, and their numbers and curves side by side.

    Example: fedmvp compare demo demo-short --output both.html
    """
    folders = chosen_runs(runs or [], OUTPUT_DIR)
    check_output(output)
    from simulations.compare.page import write_comparison  # with pandas and matplotlib
    from simulations.compare.tables import print_comparison
    from simulations.report.run_data import read_run
    from simulations.runner.reporting import open_page

    read = {name: read_run(folder) for name, folder in folders.items()}
    console = Console()
    print_comparison(console, read)
    write_comparison(read, output)
    console.print(f"comparison: {output.absolute()}", soft_wrap=True)
    if show:
        open_page(output.absolute())
