"""The look that all charts share, and SVG that follows the page's light or dark theme."""

import re
import warnings
from io import BytesIO
from typing import Any

import matplotlib
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

# Each colour stands for a CSS variable of the page, so that no two may be equal. The hues are
# Okabe and Ito's, which people with any common colour blindness can tell apart.
INK, MUTED, GRID = "#1c2733", "#5c6875", "#e1e6eb"
BLUE, GREEN, ORANGE, PURPLE = "#0072b2", "#00896a", "#d55e00", "#a8588a"
VARIABLES = {
    INK: "ink",
    MUTED: "muted",
    GRID: "grid",
    BLUE: "blue",
    GREEN: "green",
    ORANGE: "orange",
    PURPLE: "purple",
}
SPLIT_COLOURS = {
    "harmonic-mean": INK,
    "local": GREEN,
    "base": BLUE,
    "new": ORANGE,
    "source": BLUE,
    "target": ORANGE,
    "target-mean": ORANGE,
}
WIDTH = 5.6  # inches; two charts stand side by side on a wide screen, one fills a phone


def new_axes(height: float = 3.3, width: float = WIDTH) -> tuple[Figure, Axes]:
    """A figure with one pair of axes: light grid, no box."""
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.patch.set_alpha(0)
    axes = figure.add_subplot()
    calm(axes)
    return figure, axes


def calm(axes: Axes) -> None:
    """Take away all lines that carry no data."""
    axes.patch.set_alpha(0)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(MUTED)
    axes.tick_params(colors=MUTED, length=0, labelsize=10)
    axes.grid(axis="y", color=GRID, linewidth=1)


def label(axes: Axes, x: str = "", y: str = "") -> None:
    """Name the axes: x below, y level above the axis, where it can be read without turning."""
    axes.set_xlabel(x, color=MUTED, fontsize=10)
    axes.set_title(y, loc="left", color=MUTED, fontsize=10, pad=8, parse_math=False)


def spread(heights: list[float], gap: float) -> list[float]:
    """Move heights apart, as little as needed, until neighbours are `gap` from each other."""
    order = sorted(range(len(heights)), key=heights.__getitem__)
    moved = [heights[index] for index in order]
    for _ in range(100):
        for lower in range(len(moved) - 1):
            overlap = gap - (moved[lower + 1] - moved[lower])
            if overlap > 0:
                moved[lower] -= overlap / 2
                moved[lower + 1] += overlap / 2
    placed = [0.0] * len(heights)
    for index, height in zip(order, moved, strict=True):
        placed[index] = height
    return placed


def to_svg(figure: Figure, name: str, description: str) -> Markup:
    """The figure as inline SVG; `name` is unique on the page and begins every id in it."""
    buffer = BytesIO()
    nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
    settings: Any = {"svg.fonttype": "none", "svg.hashsalt": "fedmvp"}
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        # The reader's browser draws the text with its own fonts.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        FigureCanvasSVG(figure).print_svg(buffer, metadata=nothing)
    text = buffer.getvalue().decode("utf-8")
    text = re.sub(r"\s+", " ", text[text.index("<svg") :])
    text = re.sub(r'\b(id="|href="#|url\(#)', rf"\g<1>{name}-", text)
    for colour, variable in VARIABLES.items():
        text = text.replace(colour, f"var(--{variable})")
    inches = figure.get_figwidth()
    size = f'class="chart" role="img" style="max-width:{96 * inches:.0f}px"'
    view = re.search(r'viewBox="[^"]*"', text)
    body = text[text.index(">") + 1 :]
    title = Markup("<title>{}</title>").format(description)
    return Markup(f"<svg {size} {view.group() if view else ''}>{title}{body}")
