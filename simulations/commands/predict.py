"""`fedmvp predict`: what a run's model says of a user's own pictures."""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from fedmvp_core.data.readers.entries import OTHER_MEDIA, suffix_of
from fedmvp_core.errors import ConfigError
from simulations.commands.options import OUTPUT_DIR, DataDir, Run
from simulations.console import Console, one_line
from simulations.runner.progress import percent
from simulations.runner.results import find_run

logger = logging.getLogger(__name__)


def predict(
    run: Run,
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Pictures.")],
    top: Annotated[int, typer.Option("--top", min=1, help="Classes to show.")] = 5,
    zero_shot: Annotated[
        bool, typer.Option("--zero-shot", help="Ask the frozen model, without the prompts.")
    ] = False,
    classes: Annotated[
        str, typer.Option("--classes", help="base, new, all, or any names with commas.")
    ] = "all",
    data_dir: DataDir = None,
) -> None:
    """Classify pictures of your own with a run's model.

    Example: fedmvp predict demo photo.png --top 3
    """
    folder = find_run(run, OUTPUT_DIR)
    predict_command(Console(), folder, images, top, zero_shot, classes, data_dir)


def predict_command(
    console: Console,
    folder: Path,
    images: Sequence[Path],
    top: int,
    zero_shot: bool,
    classes: str,
    data_dir: Path | None = None,
) -> None:
    """Print one table for each picture."""
    for image in images:  # a wrong path is told before the model is loaded
        if not image.is_file():
            raise ConfigError(f"picture '{image}' is no file")
        suffix = suffix_of(image.name)
        if suffix in OTHER_MEDIA:
            raise ConfigError(
                f"'{image}' cannot be read here: convert {suffix} with {OTHER_MEDIA[suffix]}"
            )
    from simulations.runner.saved_run import load_saved_run, told
    from simulations.runner.tuned_run import predict_pictures

    saved = load_saved_run(folder, data_dir=data_dir)
    if said := told(saved):  # what is asked for needs the class names alone
        logger.warning("%s; the classes are the run's", said)
    names, probabilities = predict_pictures(saved, images, classes, zero_shot)
    for image, row in zip(images, probabilities.tolist(), strict=True):
        console.print(prediction_table(image, zip(names, row, strict=True), top))


def prediction_table(image: Path, scores: Iterable[tuple[str, float]], top: int) -> Table:
    """The `top` likeliest classes, best first."""
    table = Table("class", title=one_line(image), title_justify="left")
    table.add_column("probability", justify="right")
    best = sorted(scores, key=lambda score: -score[1])[:top]
    for name, probability in best:
        table.add_row(one_line(name), percent(probability))
    return table
