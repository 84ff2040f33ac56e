"""Options and arguments that several commands have."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from fedmvp_core.errors import ConfigError
from simulations.commands import completing

OUTPUT_DIR = completing.RUNS
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
Run = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A run folder, or its name below runs/.",
        autocompletion=completing.runs,
    ),
]
DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Where the run's pictures are now, if they were moved."),
]
RunWords = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NAME] [KEY=VALUE]...",
        help="A named run (fedmvp list) or a .toml file, then run-config keys. No word: demo.",
        autocompletion=completing.run_words,
    ),
]
Draws = Annotated[
    int, typer.Option("--draws", min=1, help="Passes that attacks average, for a random model.")
]
ImagesOfSplit = Annotated[
    int, typer.Option("--images", min=0, help="Images of each split, drawn by seed; 0 = all.")
]
Splits = Annotated[
    list[str] | None,
    typer.Option("--split", help="Such as base,new. Default: all of the setting's."),
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")]
Root = Annotated[
    Path | None, typer.Option("--root", help="The folder that holds the data sets' folders.")
]
Seeds = Annotated[
    list[str] | None, typer.Option("--seeds", help="Seeds, such as 1 2 3, for all its runs.")
]
# An option takes one word, so of `--seeds 1 2 3` the rest arrives as arguments.
MoreSeeds = Annotated[list[str] | None, typer.Argument(hidden=True)]
OutputDir = Annotated[Path, typer.Option("--output-dir", help="The folder that holds runs.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a run of the same name.")]
ClientsAtOnce = Annotated[
    int | None, typer.Option("--clients-at-once", help="Clients that train side by side.")
]
ClientsPerGpu = Annotated[
    int | None, typer.Option("--clients-per-gpu", help="Clients that share one GPU.")
]
RayAddress = Annotated[
    str | None,
    typer.Option("--ray-address", help="A standing Ray cluster to join: auto, or HOST:PORT."),
]
Engine = Annotated[
    str,
    typer.Option("--engine", help="inline (this process, for small federations) or ray."),
]
SmallEngine = Annotated[
    str,
    typer.Option("--engine", help="inline or ray. Default: inline, or ray for --clients-at-once."),
]


def chosen_seeds(seeds: list[str] | None, more_seeds: list[str] | None) -> list[int]:
    """What --seeds and the words after it say.

    Raises:
        ConfigError: a word is no seed, or there are words without the option.
    """
    from simulations.suite.files import parse_seeds

    if more_seeds and not seeds:
        raise ConfigError(f"'{more_seeds[0]}' is not understood; write --seeds 1 2 3")
    return parse_seeds([*(seeds or []), *(more_seeds or [])])
