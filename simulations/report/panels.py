"""Sheets of pictures: panels in rows, words below each, as one PNG."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from fedmvp_core.disk import replace_file
from simulations.report.drawing import INK

PANEL = 1.75  # inches, of a picture


def panel_grid(
    rows: int, columns: int, text: float, head: float, title: str, drop: float
) -> tuple[Figure, np.ndarray]:
    """A figure and its panels (rows, columns), with room for words.

    text, head, drop: inches of the lines below a picture, of the title's room, and from the top to
    the title.
    """
    height = head + rows * (PANEL + text)
    figure = Figure(figsize=(columns * (PANEL + 0.15) + 0.3, height), facecolor="white")
    panels: np.ndarray = figure.subplots(rows, columns, squeeze=False)
    figure.subplots_adjust(
        left=0.02,
        right=0.98,
        top=1 - head / height,
        bottom=text / height,
        wspace=0.08,
        hspace=text / PANEL,
    )
    top = 1 - drop / height
    figure.text(0.02, top, title, fontsize=12, color=INK, va="top", weight="bold")
    return figure, panels


def framed(axes: Axes, image: Any) -> None:
    """A picture, (h, w, 3) or PIL's, in a thin frame."""
    axes.imshow(image, interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color("#d5dbe1")


def below(axes: Axes, text: str, colour: str) -> None:
    """Words below a picture, taken as they are."""
    axes.text(
        0,
        -0.03,
        text,
        transform=axes.transAxes,
        fontsize=8.5,
        color=colour,
        va="top",
        parse_math=False,
    )


def write_png(figure: Figure, path: Path) -> None:
    """Write a figure; nobody ever sees half a file.

    Raises:
        OSError: the file cannot be written.
    """
    buffer = BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)
    content = buffer.getvalue()

    def write(file: Path) -> None:
        file.write_bytes(content)

    replace_file(path, write)
