"""Attacked test pictures as one PNG."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from simulations.attack.names import AttackName
from simulations.report.attacked import AttackedExample
from simulations.report.drawing import BLUE, INK, MUTED, ORANGE
from simulations.report.examples import Guess
from simulations.report.panels import below, framed, panel_grid, write_png

TEXT, HEAD = 0.5, 0.95  # inches: of the lines below a picture, of the titles


def draw_examples(path: Path, name: AttackName, examples: Sequence[AttackedExample]) -> None:
    """Write one row for each picture: clean, then perturbation and result for each model.

    Raises:
        OSError: the file cannot be written.
    """
    models = [view.model for view in examples[0].views]
    columns = 1 + 2 * len(models)
    figure, panels = panel_grid(len(examples), columns, TEXT, HEAD, name.spoken, 0.16)
    for row, example in zip(panels, examples, strict=True):
        _draw_row(list(row), example)
    for place, model in enumerate(models):
        enlarged = f"perturbation × {name.magnification:.0f}\nagainst {model}"
        _title(panels[0, 1 + 2 * place], enlarged)
        _title(panels[0, 2 + 2 * place], f"adversarial\nagainst {model}")
    _title(panels[0, 0], "clean\n")
    write_png(figure, path)


def _draw_row(row: list[Axes], example: AttackedExample) -> None:
    _picture(row[0], example.picture)
    below(row[0], f"{_short(example.truth, 18)} ({example.split})\n{_short(example.called)}", INK)
    for place, view in enumerate(example.views):
        before, after = row[1 + 2 * place], row[2 + 2 * place]
        _picture(before, view.perturbation)
        _picture(after, view.adversarial)
        below(before, f"{view.model}, clean:\n{_guess(view.clean)}", _colour(view.clean))
        below(after, f"{view.model}, attacked:\n{_guess(view.attacked)}", _colour(view.attacked))


def _picture(axes: Axes, image: np.ndarray) -> None:
    """uint8 (3, h, w)."""
    framed(axes, image.transpose(1, 2, 0))


def _title(axes: Axes, text: str) -> None:
    axes.set_title(text, fontsize=9, color=MUTED, loc="left", pad=5)


def _guess(guess: Guess) -> str:
    mark = "✓" if guess.right else "✗"
    return f"{mark} {_short(guess.name, 18)} {100 * guess.probability:.0f} %"


def _colour(guess: Guess) -> str:
    return BLUE if guess.right else ORANGE


def _short(name: str, limit: int = 24) -> str:
    return name if len(name) <= limit else name[: limit - 1] + "…"
