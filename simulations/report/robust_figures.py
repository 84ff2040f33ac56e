"""Charts of the evaluation under attack, and of alpha_cons over the steps of local training."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.axes import Axes

from simulations.report import drawing
from simulations.report.figures import label_ends, leave_room, span_rounds
from simulations.report.robust import ZERO_SHOT, Attack, first
from simulations.report.run_data import RunData
from simulations.report.splits import TITLES

CLEAN, ATTACKED = drawing.BLUE, drawing.ORANGE
_NARROW = 3.7  # inches; three stand side by side
_MOST_POINTS = 20_000  # of all clients' lines together: the page holds every one
_MARKED_ROUNDS = 40

Charts = list[tuple[str, Markup]]


@dataclass(frozen=True)
class _Kind:
    """What a pair of lines shows: words for a line's end -> its metric."""

    name: str
    unit: str
    scale: float
    form: str
    lines: dict[str, str]


def accuracy_charts(run: RunData, attack: Attack) -> Charts:
    """For each split, its headline by round, clean and robust, beside those of zero-shot CLIP."""
    lines = {"clean": run.headline, "robust": attack.metric}
    return _charts(run, attack, _Kind(run.measure, ", %", 100, "{:.1f}", lines))


def alignment_charts(run: RunData, attack: Attack) -> Charts:
    """For each split that has it, the alignment of clean and of attacked images by round."""
    lines = {"clean": "alignment", "attacked": f"attacked-alignment[{attack.name.label}]"}
    return _charts(run, attack, _Kind("alignment", "", 1, "{:.3f}", lines))


def _charts(run: RunData, attack: Attack, kind: _Kind) -> Charts:
    """One chart for each split that has the attacked metric; means over splits have none."""
    metric = list(kind.lines.values())[-1]
    every = [result.clean.split for result in attack.results]
    splits = [s for s in every if s != "harmonic-mean" and len(run.series(s, metric).dropna())]
    width = _NARROW if len(splits) > 2 else drawing.WIDTH
    return [
        (split, _chart(run, attack.whole, split, kind, f"{kind.name}{number}", width))
        for number, split in enumerate(splits)
    ]


def _chart(
    run: RunData, whole: frozenset[int], split: str, kind: _Kind, name: str, width: float
) -> Markup:
    """Clean and attacked; hollow points are those of a part of the images.

    whole: rounds whose attack was on all images. Clean accuracy is always on all.
    """
    figure, axes = drawing.new_axes(3.2, width)
    ends: dict[str, tuple[float, str]] = {}
    rounds: list[int] = []
    for (words, metric), colour in zip(kind.lines.items(), (CLEAN, ATTACKED), strict=True):
        line = kind.scale * run.series(split, metric).dropna()
        if not len(line):
            continue
        axes.plot(line.index, line, color=colour, linewidth=2)
        filled = line if metric == run.headline else line[line.index.isin(whole)]
        hollow = line.drop(filled.index)
        axes.plot(filled.index, filled, "o", color=colour, markersize=5)
        axes.plot(hollow.index, hollow, "o", color=colour, markersize=5, fillstyle="none")
        plain = kind.scale * first(run.series(split, ZERO_SHOT + metric))
        if not math.isnan(plain):
            axes.axhline(plain, color=colour, linewidth=1.3, linestyle=(0, (4, 3)))
        ends[f"{words} {kind.form.format(line.iloc[-1])}"] = (float(line.iloc[-1]), colour)
        rounds += [int(line.index[0]), int(line.index[-1])]
    span_rounds(axes, min(rounds), max(rounds))
    if kind.scale == 100:
        leave_room(axes)
    label_ends(axes, max(rounds), ends)
    title = f"{TITLES.get(split, split)} {kind.name}{kind.unit} (dashed: zero-shot)"
    drawing.label(axes, "round", title)
    return drawing.to_svg(figure, name, title)


def alpha_cons_chart(run: RunData) -> Markup | None:
    """alpha_cons of each local step: thin lines for clients, a thick one for their mean."""
    steps = run.steps[run.steps["metric"] == "alpha-cons"]
    if not len(steps):
        return None
    figure, axes = drawing.new_axes(3.4, 2 * drawing.WIDTH)
    clients = client_lines(steps)
    every = math.ceil(len(steps) / _MOST_POINTS)
    for _, line in clients:
        axes.plot(*thinned(line, every), color=drawing.PURPLE, linewidth=0.8, alpha=0.55)
    places, mean = mean_line(clients)
    axes.plot(places, mean, color=drawing.INK, linewidth=2.4)
    _mark_rounds(axes, int(steps["round"].min()), int(steps["round"].max()))
    label_ends(axes, places[-1], {f"mean {mean[-1]:.2f}": (float(mean[-1]), drawing.INK)})
    title = "alpha_cons of each local step (thick: mean over clients; thin: each client)"
    drawing.label(axes, "round", title)
    return drawing.to_svg(figure, "alphacons", title)


def client_lines(steps: pd.DataFrame) -> list[tuple[int, np.ndarray]]:
    """(round, (2, steps) of places and values) for each client's work in a round.

    A round's steps are spread evenly over its unit of the axis, however many a client takes.
    """
    lines = []
    for _, own in steps.groupby(["round", "split"]):
        number = int(own["round"].iloc[0])
        values = own.sort_values("step")["value"].to_numpy(dtype=float)
        places = number - 1 + (np.arange(len(values)) + 0.5) / len(values)
        lines.append((number, np.stack([places, values])))
    return lines


def thinned(line: np.ndarray, every: int) -> np.ndarray:
    """Means of `every` steps in a row."""
    groups = np.array_split(line, math.ceil(line.shape[1] / every), axis=1)
    return np.stack([group.mean(axis=1) for group in groups], axis=1)


def mean_line(lines: list[tuple[int, np.ndarray]]) -> np.ndarray:
    """(2, places): the mean over the clients of a round, at as many places as its longest line."""
    parts = []
    for number in sorted({number for number, _ in lines}):
        own = [line for at, line in lines if at == number]
        longest = max(line.shape[1] for line in own)
        places = number - 1 + (np.arange(longest) + 0.5) / longest
        values = np.mean([np.interp(places, line[0], line[1]) for line in own], axis=0)
        parts.append(np.stack([places, values]))
    return np.concatenate(parts, axis=1)


def _mark_rounds(axes: Axes, first_round: int, last: int) -> None:
    """A faint line where each round ends; its number stands below its middle."""
    axes.set_xlim(first_round - 1, last)
    every = math.ceil((last - first_round + 1) / _MARKED_ROUNDS)
    for edge in range(first_round - 1, last + 1, every):
        axes.axvline(edge, color=drawing.GRID, linewidth=1, zorder=0)
    named = math.ceil((last - first_round + 1) / 20)
    rounds = list(range(first_round, last + 1, named))
    axes.set_xticks([number - 0.5 for number in rounds], [str(number) for number in rounds])
