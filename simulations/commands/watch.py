"""`fedmvp watch`: a local page that follows runs while they go."""

import os
import sys
from contextlib import suppress
from typing import Annotated

import typer

from simulations.commands import completing
from simulations.commands.options import OUTPUT_DIR, Debug, OutputDir
from simulations.console import Console
from simulations.runner.interrupts import requests_as_interrupts
from simulations.runner.results import find_run


def watch(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN]",
            help="The run to open. Default: the list of all.",
            autocompletion=completing.runs,
        ),
    ] = None,
    output_dir: OutputDir = OUTPUT_DIR,
    port: Annotated[
        int | None, typer.Option("--port", min=0, max=65535, help="Default: 8585, or a free one.")
    ] = None,
    host: Annotated[
        str, typer.Option("--host", help="The address to serve on; 0.0.0.0: to everybody.")
    ] = "127.0.0.1",
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")
    ] = True,
    debug: Debug = False,
) -> None:
    """Follow runs on a local page while they go: curves, clients, time left.

    Example: fedmvp watch demo --no-browser
    """
    folder = find_run(run, output_dir) if run else None
    from simulations.runner.reporting import open_page_at  # with pandas and matplotlib
    from simulations.watch.page import in_url
    from simulations.watch.server import serving

    with serving(folder.parent if folder else output_dir, host, port) as server:
        url = server.url + (f"run/{in_url(folder.name)}" if folder else "")
        console = Console()
        console.print(f"watch: {url}", soft_wrap=True, highlight=False)
        console.print("Ctrl-C ends it; the runs go on", highlight=False)
        if browser and _has_screen():
            open_page_at(url)
        with suppress(KeyboardInterrupt), requests_as_interrupts():
            server.serve_forever(poll_interval=0.2)


def _has_screen() -> bool:
    """Whether a browser would have a window; one in the terminal would take the terminal."""
    if sys.platform in ("darwin", "win32"):
        return sys.stdout.isatty()
    return sys.stdout.isatty() and bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )
