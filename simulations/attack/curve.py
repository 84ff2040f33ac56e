"""What is left as epsilon grows: the area under each attack's curve, and a picture of it."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich import box
from rich.table import Table

from fedmvp_core.config.epsilon import parse_epsilon
from fedmvp_core.disk import replace_text
from simulations.attack.run import TUNED, ZERO_SHOT, AttackRow
from simulations.report.drawing import BLUE, GREEN, INK, ORANGE, PURPLE, calm, label
from simulations.report.panels import write_png
from simulations.runner.results import shown

COLUMNS = ("split", "attack", "epsilons", "zero_shot_area", "tuned_area")
_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, INK)
_STYLES = {TUNED: "-", ZERO_SHOT: (0, (4, 3))}
_WIDTH, _HEIGHT = 5.0, 3.6  # inches, of one split


@dataclass(frozen=True)
class Curve:
    """One attack on one split: epsilons as written, from small to large, 0 for the clean images.

    left: by model, what is left at each of them.
    """

    split: str
    attack: str
    epsilons: tuple[str, ...]
    left: dict[str, tuple[float, ...]]

    @property
    def radii(self) -> tuple[float, ...]:
        return tuple(parse_epsilon(epsilon) for epsilon in self.epsilons)

    def area(self, model: str) -> float | None:
        """By trapezoids over epsilon, over the largest epsilon: in the unit of what is left.

        So it is the mean accuracy under an attacker whose epsilon is uniform up to the largest.
        None where the model was not attacked.
        """
        if model not in self.left:
            return None
        return float(np.trapezoid(self.left[model], self.radii)) / self.radii[-1]


def curves(rows: Sequence[AttackRow]) -> list[Curve]:
    """A curve for each split and attack that met two radii or more, one of them above 0."""
    groups: dict[tuple[str, str], dict[float, AttackRow]] = {}
    for row in rows:
        of_one = groups.setdefault((row.split, row.attack.short), {})
        of_one.setdefault(parse_epsilon(row.attack.epsilon), row)
    return [
        _curve(split, attack, [of_one[radius] for radius in sorted(of_one)])
        for (split, attack), of_one in groups.items()
        if len(of_one) > 1
    ]


def _curve(split: str, attack: str, rows: Sequence[AttackRow]) -> Curve:
    above = [row for row in rows if parse_epsilon(row.attack.epsilon)]
    return Curve(
        split,
        attack,
        ("0", *(row.attack.epsilon for row in above)),
        {
            model: (above[0].clean[model], *(row.robust[model] for row in above))
            for model in above[0].robust
        },
    )


def write_curves(stem: Path, found: Sequence[Curve]) -> list[Path]:
    """STEM-curve.csv (areas as fractions) and STEM-curve.png; returns both paths.

    Raises:
        OSError: a file cannot be written.
    """
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(COLUMNS)
    for curve in found:
        areas = (curve.area(model) for model in (ZERO_SHOT, TUNED))
        facts = (curve.split, curve.attack, " ".join(curve.epsilons))
        writer.writerow((*facts, *("" if area is None else area for area in areas)))
    table, picture = (stem.with_name(f"{stem.name}-curve.{ending}") for ending in ("csv", "png"))
    replace_text(table, stream.getvalue())
    _draw(picture, found)
    return [table, picture]


def area_table(found: Sequence[Curve]) -> Table:
    """The areas in percent, for a terminal."""
    title = "area under the curve over ε, over the largest ε"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for head in ("split", "attack", "ε"):
        table.add_column(head, overflow="fold")
    models = [m for m in (ZERO_SHOT, TUNED) if any(m in curve.left for curve in found)]
    for model in models:
        table.add_column(f"{model} area", justify="right", no_wrap=True)
    for curve in found:
        areas = (shown(curve.area(model)) for model in models)
        table.add_row(curve.split, curve.attack, " ".join(curve.epsilons), *areas)
    return table


def _draw(path: Path, found: Sequence[Curve]) -> None:
    """One panel for each split; solid: tuned, dashed: zero-shot."""
    splits = list(dict.fromkeys(curve.split for curve in found))
    size = (_WIDTH * len(splits), _HEIGHT)
    figure = Figure(figsize=size, facecolor="white", layout="constrained")
    for split, axes in zip(splits, figure.subplots(1, len(splits), squeeze=False)[0], strict=True):
        own = [curve for curve in found if curve.split == split]
        _draw_split(axes, split, own)
    write_png(figure, path)


def _draw_split(axes: Axes, split: str, found: Sequence[Curve]) -> None:
    calm(axes)
    for place, curve in enumerate(found):
        colour = _COLOURS[place % len(_COLOURS)]
        for model, left in curve.left.items():
            percent = [100 * value for value in left]
            words = f"{curve.attack}, {model}"
            style = _STYLES[model]
            axes.plot(
                curve.radii, percent, "o", color=colour, linestyle=style, markersize=4, label=words
            )
    longest = max(found, key=lambda curve: len(curve.epsilons))
    axes.set_xticks(longest.radii, longest.epsilons, rotation=45, ha="right")
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=8, frameon=False)
    label(axes, "epsilon", f"{split}: left under attack, %")
