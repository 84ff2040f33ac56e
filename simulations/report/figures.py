"""Charts over rounds: accuracy, loss, bytes, seconds."""

import math

import pandas as pd
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator

from simulations.report import drawing
from simulations.report.run_data import RunData
from simulations.report.splits import TITLES, evaluated_splits
from simulations.report.summary import later_phase_clients, zero_shot

STEPS = [1, 2, 5, 10]


def accuracy_chart(run: RunData) -> Markup | None:
    """Accuracy (or mAP) of each split by round; zero-shot as dashed lines of the same colour."""
    lines = {s: 100 * run.series(s, run.headline).dropna() for s in evaluated_splits(run)}
    lines = {split: line for split, line in lines.items() if len(line) and split != "harmonic-mean"}
    if not lines:
        return None
    figure, axes = drawing.new_axes(3.6)
    ends = {}
    for split, line in lines.items():
        colour = drawing.SPLIT_COLOURS.get(split, drawing.PURPLE)
        axes.plot(line.index, line, color=colour, linewidth=2, marker="o", markersize=4)
        plain = 100 * zero_shot(run, split)
        if not math.isnan(plain):
            axes.axhline(plain, color=colour, linewidth=1.3, linestyle=(0, (4, 3)))
        ends[f"{TITLES.get(split, split)} {line.iloc[-1]:.1f}"] = (line.iloc[-1], colour)
    last = max(line.index[-1] for line in lines.values())
    span_rounds(axes, min(line.index[0] for line in lines.values()), last)
    leave_room(axes)
    label_ends(axes, last, ends)
    drawing.label(axes, "round", f"{run.measure}, % (dashed: zero-shot)")
    return drawing.to_svg(figure, "accuracy", f"{run.measure} per round against zero-shot")


def loss_chart(run: RunData) -> Markup | None:
    """The mean train loss of the clients by round."""
    loss = run.series("train", "loss").dropna()
    if not len(loss):
        return None
    figure, axes = drawing.new_axes(3.6)
    axes.plot(loss.index, loss, color=drawing.PURPLE, linewidth=2, marker="o", markersize=4)
    span_rounds(axes, loss.index[0], loss.index[-1])
    finite = loss[loss.map(math.isfinite)]
    if len(finite):
        axes.set_ylim(0, 1.1 * float(finite.max()) or 1)
        label_ends(
            axes, finite.index[-1], {f"{finite.iloc[-1]:.2f}": (finite.iloc[-1], drawing.PURPLE)}
        )
    drawing.label(axes, "round", "train loss, mean over clients")
    return drawing.to_svg(figure, "loss", "Train loss per round")


def traffic_chart(run: RunData) -> Markup | None:
    """Bytes of prompt tensors by round; on a log scale where a later phase makes them drop."""
    up = run.series("train", "bytes-up").dropna()
    down = run.series("train", "bytes-down").dropna()
    if not len(up) and not len(down):
        return None
    figure, axes = drawing.new_axes(3.2)
    ends = {}
    styles = (("up", up, drawing.ORANGE, 3.5), ("down", down, drawing.BLUE, 2))
    for name, line, colour, width in styles:
        if len(line):
            axes.plot(line.index, line, color=colour, linewidth=width, marker="o", markersize=4)
            ends[f"{name} {bytes_text(line.iloc[-1])}"] = (line.iloc[-1], colour)
    values = pd.concat([up, down])
    if values.min() > 0 and values.max() > 5 * values.min():
        axes.set_yscale("log")
        axes.minorticks_off()
        axes.yaxis.set_major_locator(LogLocator(10, subs=(1.0,)))
        axes.set_ylim(values.min() / 3, values.max() * 3)
    else:
        axes.set_ylim(0, 1.25 * values.max() or 1)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: bytes_text(value)))
    span_rounds(axes, values.index.min(), values.index.max())
    label_ends(axes, values.index.max(), ends)
    log = ", log scale" if axes.get_yscale() == "log" else ""
    drawing.label(axes, "round", f"sent in a round, all clients together{log}")
    return drawing.to_svg(figure, "traffic", "Bytes sent per round, up and down")


def phase_chart(run: RunData) -> Markup | None:
    """Clients past the first phase by round; left out where nobody got there."""
    counts = later_phase_clients(run)
    if not len(counts) or counts.max() == 0:
        return None
    return _bar_chart(counts, "phase", "clients in a later phase", drawing.GREEN, whole=True)


def seconds_chart(run: RunData) -> Markup | None:
    """Wall-clock seconds by round."""
    seconds = run.series("train", "seconds").dropna()
    return _bar_chart(seconds, "seconds", "seconds a round", drawing.BLUE) if len(seconds) else None


def failed_chart(run: RunData) -> Markup | None:
    """Failed clients by round; left out where none failed."""
    failed = run.series("train", "failed-clients").dropna()
    if not len(failed) or failed.max() == 0:
        return None
    return _bar_chart(failed, "failed", "clients that failed", drawing.ORANGE, whole=True)


def bytes_text(count: float) -> str:
    """Decimal units, three figures: 1234567 -> '1.23 MB'."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if abs(count) >= 0.9995 * size:
            return f"{count / size:.3g} {unit}"
    return f"{count:.0f} B"


def _bar_chart(
    values: "pd.Series[float]", name: str, title: str, colour: str, whole: bool = False
) -> Markup:
    figure, axes = drawing.new_axes(2.6)
    axes.bar(values.index, values, color=colour, width=0.7)
    axes.set_ylim(0, 1.15 * float(values.max()) or 1)
    axes.set_xlim(values.index.min() - 0.7, values.index.max() + 0.7)
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=whole, steps=STEPS))
    _rounds(axes)
    drawing.label(axes, "round", title)
    return drawing.to_svg(figure, name, title)


def _rounds(axes: Axes) -> None:
    """Whole rounds below the axis."""
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1, steps=STEPS))
    for line in axes.lines:
        line.set_clip_on(False)


def span_rounds(axes: Axes, first: float, last: float) -> None:
    """End the axis at the last round, so that labels stand beside the lines, not on them."""
    axes.set_xlim(min(first, last - 0.4), last)
    axes.tick_params(pad=8)
    _rounds(axes)


def leave_room(axes: Axes) -> None:
    """Some space above and below, and never a scale so fine that noise looks like a trend."""
    low, high = axes.get_ylim()
    middle, half = (low + high) / 2, max(high - low, 10) / 2
    axes.set_ylim(max(middle - 1.08 * half, 0), min(middle + 1.08 * half, 102))


def label_ends(axes: Axes, x: float, ends: dict[str, tuple[float, str]]) -> None:
    """Write each line's name beside its end, moved apart where they would overlap."""
    scale = axes.transData
    heights = [float(scale.transform((x, value))[1]) for value, _ in ends.values()]
    # A line of text of 10 points is 15 pixels high in a chart of 100 dots an inch.
    for text, height, (value, colour) in zip(
        ends, drawing.spread(heights, 18), ends.values(), strict=True
    ):
        offset = height - float(scale.transform((x, value))[1])
        axes.annotate(
            text,
            (x, value),
            xytext=(9, 0.72 * offset),
            textcoords="offset points",
            va="center",
            color=colour,
            fontsize=10.5,
            fontweight="bold",
            annotation_clip=False,
            parse_math=False,
        )
