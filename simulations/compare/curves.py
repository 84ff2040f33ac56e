"""Charts over rounds with one line for each run."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from simulations.compare.numbers import ZERO_SHOT, metric_words, metrics_of, splits_of
from simulations.report import drawing
from simulations.report.figures import label_ends, leave_room, span_rounds
from simulations.report.robust import first
from simulations.report.run_data import RunData
from simulations.report.splits import TITLES

COLOURS = (drawing.BLUE, drawing.ORANGE, drawing.GREEN, drawing.PURPLE, drawing.INK)
# Of matplotlib and of CSS: what tells runs apart that have the same colour.
STYLES = (("-", "solid"), ("--", "dashed"), (":", "dotted"))


@dataclass(frozen=True)
class Look:
    """How a run is drawn. number: from 1, at its lines' ends. css: the same line for the legend."""

    number: int
    colour: str
    line: str
    css: str


def looks(count: int) -> list[Look]:
    """One for each run; after fifteen they begin again, and the numbers alone tell runs apart."""
    found = []
    for index in range(count):
        colour = COLOURS[index % len(COLOURS)]
        line, css = STYLES[index // len(COLOURS) % len(STYLES)]
        style = f"3px {css} var(--{drawing.VARIABLES[colour]})"
        found.append(Look(index + 1, colour, line, style))
    return found


def accuracy_charts(runs: Sequence[RunData]) -> list[tuple[str, Markup]]:
    """(title, chart) of each metric and split: clean first, then under each attack."""
    charts: list[tuple[str, Markup]] = []
    for metric in metrics_of(runs):
        for split in splits_of(runs):
            name = f"curve{len(charts)}"
            title = f"{TITLES.get(split, split)}: {metric_words(metric)}"
            if not metric.startswith(ZERO_SHOT):
                chart = _chart(runs, split, metric, name, title)
                charts += [(title, chart)] if chart else []
    return charts


def loss_chart(runs: Sequence[RunData]) -> Markup | None:
    """The mean train loss of the clients."""
    return _chart(runs, "train", "loss", "loss", "train loss, mean over clients", percent=False)


def _chart(
    runs: Sequence[RunData], split: str, metric: str, name: str, title: str, percent: bool = True
) -> Markup | None:
    """None if fewer than two rounds of all runs together were measured."""
    scale, form = (100.0, "{:.1f}") if percent else (1.0, "{:.2f}")
    lines = [scale * run.series(split, metric).dropna() for run in runs]
    lines = [line[line.map(math.isfinite)] for line in lines]
    rounds = sorted({int(number) for line in lines for number in line.index})
    if len(rounds) < 2:
        return None
    figure, axes = drawing.new_axes(3.6)
    ends: dict[str, tuple[float, str]] = {}
    for look, line in zip(looks(len(runs)), lines, strict=True):
        if len(line):
            axes.plot(line.index, line, look.line, color=look.colour, linewidth=2)
            axes.plot(line.index, line, "o", color=look.colour, markersize=4)
            last = float(line.iloc[-1])
            ends[f"{look.number}: {form.format(last)}"] = (last, look.colour)
    words = f"{metric_words(metric)}, %" if percent else title
    plain = _shared_zero_shot(runs, split, metric)
    if plain is not None:
        axes.axhline(scale * plain, color=drawing.MUTED, linewidth=1.3, linestyle=(0, (4, 3)))
        words += " (dashed: zero-shot)"
    span_rounds(axes, rounds[0], rounds[-1])
    if percent:
        leave_room(axes)
    label_ends(axes, rounds[-1], ends)
    drawing.label(axes, "round", words)
    return drawing.to_svg(figure, name, title)


def _shared_zero_shot(runs: Sequence[RunData], split: str, metric: str) -> float | None:
    """What the frozen model reaches, if it is the same in all runs that know it."""
    known = {first(run.series(split, ZERO_SHOT + metric)) for run in runs}
    known = {round(value, 9) for value in known if not math.isnan(value)}
    return known.pop() if len(known) == 1 else None
