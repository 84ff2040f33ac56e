"""The report's pictures as PNG files in the run folder, for `fedmvp watch` and for loggers."""

import base64
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from matplotlib.axes import Axes
from PIL import Image

from simulations.attack.names import AttackName
from simulations.report.attacked import AttackedExample
from simulations.report.attention import AttentionMap
from simulations.report.drawing import MUTED
from simulations.report.panels import below, framed, panel_grid, write_png

ATTACKED, ATTENTION = "attacked.png", "attention.png"
_TEXT, _HEAD = 0.42, 0.4  # inches: of the lines below a picture, of the title


def write_sheets(
    folder: Path,
    attacked: tuple[AttackName, list[AttackedExample]] | None,
    attention: Sequence[AttentionMap],
) -> None:
    """Write attacked.png and attention.png, as far as there is something to show on them.

    Raises:
        OSError: a file cannot be written.
    """
    if attacked or attention:
        folder.mkdir(exist_ok=True)
    if attacked:
        from simulations.attack.drawing import draw_examples  # which the report is part of

        draw_examples(folder / ATTACKED, *attacked)
    if attention:
        _draw_attention(folder / ATTENTION, attention)


def _draw_attention(path: Path, maps: Sequence[AttentionMap]) -> None:
    """A row for each picture: itself, its patches by strongest attribute, its heaviest ones."""
    columns = 2 + max(len(one.heat_maps) for one in maps)
    title = "attention of patches to attributes"
    figure, panels = panel_grid(len(maps), columns, _TEXT, _HEAD, title, 0.1)
    for row, one in zip(panels, maps, strict=True):
        picture = one.example.picture
        _panel(row[0], picture, "", f"{one.example.truth}\n{one.example.called}")
        _panel(row[1], picture, one.overlay, "strongest attribute")
        for axes, heat in zip(row[2:], one.heat_maps, strict=False):
            shares = f"{100 * heat.low:.1f} to {100 * heat.high:.1f} %"
            _panel(axes, picture, heat.overlay, f"{heat.name}\n{shares}")
        for axes in row[2 + len(one.heat_maps) :]:
            axes.set_visible(False)
    write_png(figure, path)


def _panel(axes: Axes, picture: str, overlay: str, words: str) -> None:
    """A picture, pale and grey below its overlay if there is one, and words below it."""
    shown = decoded(picture).convert("RGB")
    if overlay:
        grey = shown.convert("L").convert("RGB")
        shown = Image.blend(Image.new("RGB", grey.size, "white"), grey, 0.55)
        cells = decoded(overlay).convert("RGBA").resize(shown.size, Image.Resampling.NEAREST)
        shown.paste(cells, mask=cells.getchannel("A"))
    framed(axes, shown)
    short = "\n".join(line if len(line) <= 27 else f"{line[:26]}…" for line in words.split("\n"))
    below(axes, short, MUTED)


def decoded(uri: str) -> Image.Image:
    """The picture of a data URI."""
    return Image.open(BytesIO(base64.b64decode(uri.partition(",")[2])))
