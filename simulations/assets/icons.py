"""Named pictures for pretraining beside the emoji: Iconify's sets and Debian's openclipart-png.

Only sets whose licence permits redistribution of derived works; logos, flags and brand sets are
left out, since their names mean nothing to a benchmark of everyday things.
"""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIZE = 64
PERMISSIVE = {
    "MIT", "ISC", "Apache-2.0", "CC0-1.0", "CC-BY-3.0", "CC-BY-4.0", "CC-BY-SA-4.0", "OFL-1.1",
    "BSD-3-Clause", "Unlicense",
}  # fmt: skip
EMOJI_SETS = (
    "noto-v1", "emojione", "emojione-v1", "emojione-monotone", "fxemoji",
    "fluent-emoji-high-contrast", "streamline-emojis",
)  # fmt: skip
COLOUR_SETS = (
    "flat-color-icons", "fluent-color", "icon-park", "streamline-color", "streamline-flex-color",
    "streamline-plump-color", "streamline-sharp-color", "streamline-ultimate-color",
    "streamline-freehand-color", "streamline-kameleon-color", "streamline-stickies-color",
    "streamline-cyber-color", "glyphs-poly", "meteocons", "marketeq", "flat-ui",
)  # fmt: skip
MONO_SETS = (
    "game-icons", "mdi", "tabler", "lucide", "lucide-lab", "healthicons", "icon-park-solid",
    "icon-park-twotone", "material-symbols", "mingcute", "maki", "temaki", "pinhead", "roentgen",
    "osmic", "medical-icon", "covid", "wi", "fad", "gis", "map", "guidance", "fa7-solid", "bi",
    "carbon", "iconoir", "hugeicons", "ri", "uil", "fluent", "fluent-mdl2", "la", "bxs", "ion",
    "streamline-ultimate", "streamline-freehand", "streamline-pixel", "pepicons-pop", "nrk",
    "garden", "dinkie-icons", "vaadin", "entypo", "typcn", "whh", "si-glyph", "zmdi", "fontisto",
    "raphael", "icons8", "f7", "picon", "memory", "majesticons", "griddy-icons", "boxicons",
    "iconmind", "reicon", "ph", "solar",
)  # fmt: skip
# The variants of a set that are worth having beside each other.
KEEP_VARIANT = {
    "ph": ("fill", "duotone"), "solar": ("bold-duotone", "linear"), "fluent": ("24-filled",),
    "material-symbols": ("", "outline"), "iconmind": ("duotone-regular",),
    "mingcute": ("fill", "line"), "ion": ("", "outline"), "reicon": ("filled",),
    "boxicons": ("filled",), "griddy-icons": ("filled",), "fluent-color": ("48", "32", "24"),
    "healthicons": ("", "outline"), "streamline-ultimate": ("bold",), "meteocons": ("fill",),
}  # fmt: skip
STYLE_WORDS = frozenset(
    """outline outlined filled fill line linear bold duotone twotone thin light regular solid sharp
    rounded round broken flat color colour remix duo off alt variant one two three four five six
    seven eight nine ten icon add remove plus minus check checked cancel edit small large new 16 20
    24 28 32 48 12 10 1 2 3 4 5 6 7 8 9 0 x square circle box a b c the free sign
    """.split()  # noqa: SIM905
)


@dataclass
class Picture:
    """One named picture. `colour`: whether it has colours of its own to keep."""

    image: NDArray[np.uint8]  # (64, 64, 3)
    name: str
    source: str
    colour: bool


def on_white(picture: Image.Image) -> NDArray[np.uint8]:
    """A picture of any size and mode, fitted into 64x64 on white."""
    picture = picture.convert("RGBA")
    large = max(picture.size) > 600
    resample = Image.Resampling.BOX if large else Image.Resampling.LANCZOS
    picture.thumbnail((SIZE, SIZE), resample)
    tile = Image.new("RGBA", (SIZE, SIZE), "white")
    corner = ((SIZE - picture.width) // 2, (SIZE - picture.height) // 2)
    tile.alpha_composite(picture, corner)
    return np.asarray(tile.convert("RGB"))


def clean_name(raw: str) -> str:
    """ "dog-side-off" -> "dog side"; style and grid words go unless nothing would remain."""
    raw = re.sub(r"([a-z])([A-Z0-9])", r"\1 \2", raw).lower()
    words = [word for word in re.split(r"[^a-z0-9’']+", raw) if word]
    kept = [word for word in words if word not in STYLE_WORDS and not word.isdigit()]
    return " ".join((kept or words)[:5])


def variant_of(name: str, suffixes: list[str]) -> str:
    """The longest of a set's suffixes that the icon's name ends with, or ""."""
    matching = [suffix for suffix in suffixes if suffix and name.endswith("-" + suffix)]
    return max(matching, key=len, default="")


def render_icon(body: str, box: tuple[float, float, float, float]) -> NDArray[np.uint8] | None:
    """An Iconify icon body as a 64x64 picture on white; None where it does not render."""
    import resvg_py

    left, top, width, height = box
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'color="black" viewBox="{left} {top} {width} {height}">{body}</svg>'
    )
    try:
        wide = width >= height
        png = resvg_py.svg_to_bytes(
            svg_string=svg,
            skip_system_fonts=True,
            width=SIZE if wide else None,
            height=None if wide else SIZE,
        )
        image = on_white(Image.open(io.BytesIO(bytes(png))))
    except Exception:  # a handful of bodies are malformed; they are simply skipped
        return None
    return image if image.min() < 128 or image.std() > 8 else None


def names_allowed(concepts: list[dict[str, Any]], all_names: set[str]) -> set[str]:
    """Names an emoji set may use: known emoji that no evaluation concept shares a name with."""
    evaluation = {c["name"] for c in concepts if c["pool"] == "evaluation"}
    return {plain(name) for name in all_names} - {plain(name) for name in evaluation}


def plain(name: str) -> str:
    """Letters and digits only, so that "o’clock" and "o-clock" compare equal."""
    return re.sub(r"[^a-z0-9]+", "", name.lower())


def iconify_set(json_folder: Path, prefix: str, allowed: set[str] | None) -> Iterator[Picture]:
    """The pictures of one Iconify set. `allowed`: for emoji sets, the plain names to keep."""
    data = json.loads((json_folder / "json" / f"{prefix}.json").read_text())
    licence = data["info"]["license"].get("spdx")
    if licence not in PERMISSIVE:
        raise ValueError(f"{prefix}: licence {licence} is not in the permissive list")
    suffixes = list(data.get("suffixes") or {})
    for name, icon in data["icons"].items():
        if icon.get("hidden"):
            continue
        if prefix in KEEP_VARIANT and variant_of(name, suffixes) not in KEEP_VARIANT[prefix]:
            continue
        if allowed is not None and plain(name) not in allowed:
            continue
        size = {key: icon.get(key, data.get(key)) for key in ("left", "top", "width", "height")}
        box = (size["left"] or 0, size["top"] or 0, size["width"] or 16, size["height"] or 16)
        image = render_icon(icon["body"], box)
        if image is not None:
            colour = bool(image.max(axis=2).astype(int).sum() - image.min(axis=2).sum())
            yield Picture(image, clean_name(name), prefix, colour)


def strip_authors(stems: list[list[str]]) -> list[list[str]]:
    """openclipart's file names end in their author's (truncated) name: drop tails that recur."""
    tails: Counter[tuple[str, ...]] = Counter()
    for words in stems:
        for start in range(1, len(words)):
            tails[tuple(words[start:])] += 1
    result = []
    for words in stems:
        cut = next((i for i in range(1, len(words)) if tails[tuple(words[i:])] >= 8), len(words))
        result.append(words[:cut])
    return result


def openclipart(folder: Path) -> Iterator[Picture]:
    """Debian's openclipart-png, named by file and topic folder."""
    paths = sorted(path for path in folder.rglob("*.png") if "logos" not in path.parts)
    stems = [[w for w in re.split(r"[^a-z]+", p.stem.lower()) if w] for p in paths]
    for path, words in zip(paths, strip_authors(stems), strict=True):
        try:
            image = on_white(Image.open(path))
        except Exception:  # a few files are broken or absurdly large
            continue
        topic = path.parent.name.replace("_", " ")
        name = " ".join(words[:4]) or topic
        if path.parent.name not in ("png", "unsorted", "special"):
            name = f"{name}, {topic}"
        yield Picture(image, name, "openclipart", True)
