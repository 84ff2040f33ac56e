"""Options and arguments that several commands have."""

import logging
from pathlib import Path
from typing import Annotated

import typer

OUTPUT_DIR = Path("runs")
_OURS = ("simulations", "fedmvp_core", "server_app")


def _set_debug(ctx: typer.Context, wanted: bool) -> None:
    root = ctx.find_root()
    root.obj = root.obj or {}
    if wanted:
        root.obj["debug"] = True
        for name in _OURS:  # not the root: other libraries would drown ours
            logging.getLogger(name).setLevel(logging.DEBUG)


Debug = Annotated[
    bool, typer.Option("--debug", callback=_set_debug, help="Log more; show tracebacks of errors.")
]
Run = Annotated[str, typer.Argument(metavar="RUN", help="A run folder, or its name below runs/.")]
DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Where the run's pictures are now, if they were moved."),
]
RunWords = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NAME] [KEY=VALUE]...",
        help="A named run (fedmvp list) or a .toml file, then run-config keys. No word: demo.",
    ),
]
OutputDir = Annotated[Path, typer.Option("--output-dir", help="The folder that holds runs.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a run of the same name.")]
ClientsAtOnce = Annotated[
    int | None, typer.Option("--clients-at-once", help="Clients that train side by side.")
]
ClientsPerGpu = Annotated[
    int | None, typer.Option("--clients-per-gpu", help="Clients that share one GPU.")
]
Engine = Annotated[
    str,
    typer.Option("--engine", help="inline (this process, for small federations) or ray."),
]
SmallEngine = Annotated[
    str,
    typer.Option("--engine", help="inline or ray. Default: inline, or ray for --clients-at-once."),
]
