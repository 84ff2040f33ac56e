"""Bars that compare tuned with zero-shot, and the map of who holds what."""

import math
from dataclasses import dataclass

import matplotlib.colors
import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fedmvp_core.metrics.names import MAP
from fedmvp_core.run_folder import class_columns
from simulations.report import drawing
from simulations.report.run_data import RunData
from simulations.report.splits import plain_class
from simulations.report.summary import client_rows

TALLEST = 10  # inches; a map of many classes is squeezed into so much
MOST_CLASSES = 40  # bars of classes; of more, those that gained most and those that lost most


@dataclass(frozen=True)
class Row:
    """One bar, in percent."""

    name: str
    zero_shot: float
    tuned: float


def client_chart(run: RunData) -> Markup | None:
    """Each client's headline on its own classes at the last evaluation."""
    rows = [
        Row(client.name, 100 * client.zero_shot, 100 * client.tuned)
        for client in client_rows(run)
        if not math.isnan(client.tuned)
    ]
    title = f"{run.measure} on the client's own classes, %"
    return compare(rows, "clients", title) if rows else None


def class_chart(run: RunData, split: str, name: str) -> Markup | None:
    """Accuracy (or average precision) of a split's classes, the greatest gain first."""
    table = run.classes[run.classes["split"] == split] if len(run.classes) else run.classes
    rows = [
        Row(plain_class(run, str(label)), 100 * plain, 100 * tuned)
        for label, plain, tuned in zip(
            table["class"], table["zero_shot"], table["tuned"], strict=True
        )
        if not pd.isna(tuned)
    ]
    rows.sort(key=lambda row: (-np.nan_to_num(row.tuned - row.zero_shot), -row.tuned, row.name))
    measure = class_columns(run.headline == MAP)[-1].replace("_", " ")
    title = f"{measure} on the {split} classes, %"
    if len(rows) > MOST_CLASSES:
        title += f": {MOST_CLASSES} of {len(rows)}"
        rows = rows[: MOST_CLASSES // 2] + rows[-MOST_CLASSES // 2 :]
    return compare(rows, name, title) if rows else None


def compare(rows: list[Row], name: str, title: str) -> Markup:
    """A bar for tuned, a tick for zero-shot and the difference in points at the right."""
    many = len(rows) > 40
    pitch, size = (0.17, 8.5) if many else (0.27, 10)
    figure, axes = drawing.new_axes(pitch * len(rows) + 0.75)
    places = np.arange(len(rows))[::-1]
    axes.barh(places, [row.tuned for row in rows], height=0.68, color=drawing.BLUE, alpha=0.8)
    for place, row in zip(places, rows, strict=True):
        if not np.isnan(row.zero_shot):
            axes.plot(
                [row.zero_shot] * 2, [place - 0.42, place + 0.42], color=drawing.INK, linewidth=2
            )
            _difference(axes, place, row, size)
    axes.set_xlim(0, 100)
    axes.set_ylim(-0.7, len(rows) - 0.3)
    axes.set_yticks(places, [_short(row.name) for row in rows], fontsize=size, parse_math=False)
    axes.tick_params(axis="y", labelcolor=drawing.INK, labelsize=size)
    axes.grid(visible=False, axis="y")
    axes.grid(axis="x", color=drawing.GRID)
    drawing.label(axes, "", title)
    return drawing.to_svg(figure, name, title)


def _difference(axes: Axes, place: float, row: Row, size: float) -> None:
    change = row.tuned - row.zero_shot
    sign = "+" if change >= 0.05 else "−" if change <= -0.05 else "±"
    colour = {"+": drawing.BLUE, "−": drawing.ORANGE, "±": drawing.MUTED}[sign]
    axes.annotate(
        f"{sign}{abs(change):.1f}",
        (1, place),
        xytext=(4.4 * size, 0),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        ha="right",
        va="center",
        fontsize=size,
        color=colour,
        fontweight="bold" if sign != "±" else "normal",
    )


def shard_chart(run: RunData) -> Markup | None:
    """Images of each class (and of each domain, where there are several) at each client.

    None where clients do not tell (share-class-names).
    """
    shards = run.shards
    if not any(shard.classes for shard in shards):
        return None
    classes = _counts([shard.classes for shard in shards])
    classes.index = [plain_class(run, name) for name in classes.index]  # two may be alike
    domains = _counts([shard.domains for shard in shards])
    tables = [classes] + ([domains] if len(domains) > 1 else [])
    pitch = 0.25 if len(classes) <= 40 else max(0.03, min(0.17, TALLEST / len(classes)))
    heights = [pitch * len(classes), *(0.22 * len(table) for table in tables[1:])]
    figure = Figure(
        figsize=(drawing.WIDTH, sum(heights) + 0.6 * len(tables) + 0.3), layout="constrained"
    )
    figure.patch.set_alpha(0)
    panels = figure.subplots(len(tables), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, table, title in zip(panels, tables, ("class", "domain"), strict=False):
        _heat_map(axes, table, f"images by {title}", every=_every(len(table)))
    panels[-1].set_xlabel("client", color=drawing.MUTED)
    return drawing.to_svg(figure, "shards", "Images of each class and domain at each client")


def _every(rows: int) -> int:
    """Leave out names of rows at equal steps, so that those shown do not overlap."""
    return 1 if rows <= 40 else math.ceil(0.14 * rows / TALLEST)


def _counts(holdings: list[dict[str, int]]) -> pd.DataFrame:
    """Names x clients, in the order in which the clients first hold them."""
    names = list(dict.fromkeys(name for held in holdings for name in held))
    return pd.DataFrame(
        {i: [held.get(name, 0) for name in names] for i, held in enumerate(holdings)}, names
    )


def _heat_map(axes: Axes, table: pd.DataFrame, title: str, every: int) -> None:
    counts = table.to_numpy(dtype=float)
    top = max(counts.max(), 1.0)
    # One hue whose opacity is the count shows well on light and on dark paper.
    pixels = np.zeros((*counts.shape, 4))
    pixels[..., :3] = matplotlib.colors.to_rgb(drawing.BLUE)
    pixels[..., 3] = np.where(counts > 0, 0.15 + 0.75 * counts / top, 0)
    drawing.calm(axes)
    axes.imshow(pixels, aspect="auto", interpolation="none")
    rows, columns = counts.shape
    axes.grid(visible=False)
    if rows <= 100:
        edges = np.arange(rows + 1) - 0.5
        axes.hlines(edges, -0.5, columns - 0.5, color=drawing.GRID, linewidth=0.7)
    axes.spines["bottom"].set_visible(False)
    names = [_short(str(name)) for name in table.index[::every]]
    axes.set_yticks(range(0, rows, every), names, parse_math=False)
    axes.tick_params(axis="y", labelcolor=drawing.INK, labelsize=8.5 if rows > 40 else 10)
    axes.xaxis.set_major_locator(MaxNLocator(min(columns, 12), integer=True, min_n_ticks=1))
    axes.set_xlim(-0.5, columns - 0.5)
    drawing.label(axes, "", title)
    if columns <= 16 and rows <= 40:
        for row, column in zip(*np.nonzero(counts), strict=True):
            axes.text(
                column,
                row,
                f"{counts[row, column]:.0f}",
                ha="center",
                va="center",
                fontsize=9,
                color=drawing.INK if counts[row, column] < 0.7 * top else "white",
            )


def _short(name: str, limit: int = 26) -> str:
    return name if len(name) <= limit else name[: limit - 1] + "…"
