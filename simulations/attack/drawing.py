"""Attacked test pictures as one PNG."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from fedmvp_core.disk import replace_file
from simulations.attack.names import AttackName
from simulations.report.attacked import AttackedExample
from simulations.report.drawing import BLUE, INK, MUTED, ORANGE
from simulations.report.examples import Guess

PANEL = 1.75  # inches, of a picture
TEXT = 0.5  # inches, of the lines below it


def draw_examples(path: Path, name: AttackName, examples: Sequence[AttackedExample]) -> None:
    """Write one row for each picture: clean, then perturbation and result for each model.

    Raises:
        OSError: the file cannot be written.
    """
    models = [view.model for view in examples[0].views]
    columns, head = 1 + 2 * len(models), 0.95
    height = head + len(examples) * (PANEL + TEXT)
    figure = Figure(figsize=(columns * (PANEL + 0.15) + 0.3, height), facecolor="white")
    panels = figure.subplots(len(examples), columns, squeeze=False)
    figure.subplots_adjust(
        left=0.02,
        right=0.98,
        top=1 - head / height,
        bottom=TEXT / height,
        wspace=0.08,
        hspace=TEXT / PANEL,
    )
    figure.text(
        0.02, 1 - 0.16 / height, name.spoken, fontsize=12, color=INK, va="top", weight="bold"
    )
    for row, example in zip(panels, examples, strict=True):
        _draw_row(list(row), example)
    for place, model in enumerate(models):
        enlarged = f"perturbation × {name.magnification:.0f}\nagainst {model}"
        _title(panels[0, 1 + 2 * place], enlarged)
        _title(panels[0, 2 + 2 * place], f"adversarial\nagainst {model}")
    _title(panels[0, 0], "clean\n")
    buffer = BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)
    replace_file(path, lambda file: _write(file, buffer.getvalue()))


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _draw_row(row: list[Axes], example: AttackedExample) -> None:
    _picture(row[0], example.picture)
    _below(row[0], f"{_short(example.truth, 18)} ({example.split})\n{_short(example.called)}", INK)
    for place, view in enumerate(example.views):
        before, after = row[1 + 2 * place], row[2 + 2 * place]
        _picture(before, view.perturbation)
        _picture(after, view.adversarial)
        _below(before, f"{view.model}, clean:\n{_guess(view.clean)}", _colour(view.clean))
        _below(after, f"{view.model}, attacked:\n{_guess(view.attacked)}", _colour(view.attacked))


def _picture(axes: Axes, image: np.ndarray) -> None:
    """uint8 (3, h, w)."""
    axes.imshow(image.transpose(1, 2, 0), interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color("#d5dbe1")


def _title(axes: Axes, text: str) -> None:
    axes.set_title(text, fontsize=9, color=MUTED, loc="left", pad=5)


def _below(axes: Axes, text: str, colour: str) -> None:
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


def _guess(guess: Guess) -> str:
    mark = "✓" if guess.right else "✗"
    return f"{mark} {_short(guess.name, 18)} {100 * guess.probability:.0f} %"


def _colour(guess: Guess) -> str:
    return BLUE if guess.right else ORANGE


def _short(name: str, limit: int = 24) -> str:
    return name if len(name) <= limit else name[: limit - 1] + "…"
