"""Who holds what, as a heat map: a row for each class, a column for each client."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.figure import Figure

from fedmvp_core.data.shards import Shard
from fedmvp_core.errors import ConfigError
from simulations.report.drawing import BLUE, GRID, INK, MUTED

FORMATS = (".svg", ".png")
MOST_NAMES, MOST_NUMBERS = 80, 24  # rows that are named; columns whose cells are numbered
MOST_TICKS = 20
DOTS_PER_INCH = 150


def check_plot(path: Path) -> None:
    """Look before the work is done.

    Raises:
        ConfigError: the name ends otherwise than in .svg or .png, or there is no such folder.
    """
    if path.suffix.lower() not in FORMATS:
        raise ConfigError(f"--plot is '{path}'; allowed: a file that ends in {', '.join(FORMATS)}")
    if not path.absolute().parent.is_dir():
        raise ConfigError(f"--plot is '{path}', but there is no folder {path.absolute().parent}")


def plot_shards(held: Sequence[Shard], class_names: Sequence[str], path: Path) -> None:
    """Write the heat map of `shard_counts`; the same file each time."""
    figure = shard_figure(shard_counts(held, class_names), class_names)
    settings: Any = {"svg.hashsalt": "fedmvp"}
    with matplotlib.rc_context(settings):
        kind = path.suffix.lower().removeprefix(".")
        metadata = {"Date": None} if kind == "svg" else None
        figure.savefig(path, format=kind, dpi=DOTS_PER_INCH, metadata=metadata)


def shard_counts(held: Sequence[Shard], class_names: Sequence[str]) -> np.ndarray:
    """(classes, clients) int64: images of each class at each client.

    An image with several labels counts once for each of them.
    """
    columns = []
    for shard in held:
        counts = shard.images.class_counts()
        columns.append([counts.get(name, 0) for name in class_names])
    return np.array(columns, dtype=np.int64).T


def shard_figure(counts: np.ndarray, class_names: Sequence[str]) -> Figure:
    """The heat map; a pair without images is left white."""
    classes, clients = counts.shape
    named = classes <= MOST_NAMES
    width = 2.6 + min(0.42 * clients, 12) + (1.4 if named else 0)
    height = 1.2 + (0.22 * classes if named else 8)
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    shades = LinearSegmentedColormap.from_list("shades", ["#dbe9f3", BLUE])
    # Square roots: a few images still differ visibly where others have hundreds.
    scale = PowerNorm(0.5, vmin=0, vmax=max(int(counts.max()), 1))
    image = axes.imshow(
        np.ma.masked_equal(counts, 0), cmap=shades, norm=scale, aspect="auto", interpolation="none"
    )
    _label(axes, counts.shape, class_names if named else ())
    if named and clients <= MOST_NUMBERS:
        _number(axes, counts)
    bar = figure.colorbar(image, ax=axes, shrink=min(1.0, 3 / height), pad=0.02)
    bar.outline.set_visible(False)  # type: ignore[operator]
    bar.ax.tick_params(colors=MUTED, length=0, labelsize=8)
    bar.ax.set_title("images", fontsize=8, color=MUTED)
    return figure


def _label(axes: Axes, shape: tuple[int, ...], class_names: Sequence[str]) -> None:
    classes, clients = shape
    for side in axes.spines.values():
        side.set_color(GRID)
    axes.tick_params(colors=MUTED, length=0, labelsize=8)
    step = -(-clients // MOST_TICKS)
    axes.set_xticks(range(0, clients, step))
    axes.set_xlabel("client", color=MUTED, fontsize=9)
    if class_names:
        axes.set_yticks(range(classes), labels=list(class_names), parse_math=False)
    else:
        axes.set_ylabel(f"{classes} classes, in the order of the data set", color=MUTED, fontsize=9)


def _number(axes: Axes, counts: np.ndarray) -> None:
    bright = counts > 0.4 * counts.max()
    for row, column in zip(*counts.nonzero(), strict=True):
        colour = "white" if bright[row, column] else INK
        text = str(counts[row, column])
        axes.text(column, row, text, ha="center", va="center", fontsize=7, color=colour)
