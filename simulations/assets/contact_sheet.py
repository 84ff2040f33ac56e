"""Draw docs/images/contact_sheet.webp: one concept of some classes in all six styles.

python -m simulations.assets.contact_sheet
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from simulations.assets.sheets import STYLES, TILE, load_document, load_sheet

SHOWN = (
    "mammal",
    "bird",
    "fruit",
    "dessert",
    "building",
    "road vehicle",
    "aircraft",
    "celebration",
    "musical instrument",
    "piece of clothing",
    "tool",
    "computer",
)
OUTPUT = Path(__file__).resolve().parents[2] / "docs/images/contact_sheet.webp"
GAP, TOP, LEFT = 10, 44, 110


def draw_contact_sheet() -> Image.Image:
    """Styles as rows, classes as columns, each with its first test concept."""
    document = load_document()
    concepts = document["concepts"]
    firsts = [
        next(c for c in concepts if c["class"] == name and c["split"] == "test") for name in SHOWN
    ]
    step = TILE + GAP
    page = Image.new("RGB", (LEFT + step * len(SHOWN), TOP + step * len(STYLES)), "white")
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(11)
    for column, concept in enumerate(firsts):
        label = concept["class"].replace(" ", "\n", 1)
        draw.multiline_text((LEFT + column * step, 8), label, fill="black", font=font, spacing=1)
    for row, style in enumerate(STYLES):
        tiles = load_sheet(style, len(concepts))
        draw.text((10, TOP + row * step + TILE // 2 - 6), style, fill="black", font=font)
        for column, concept in enumerate(firsts):
            corner = (LEFT + column * step, TOP + row * step)
            page.paste(Image.fromarray(tiles[concept["index"]]), corner)
    return page


if __name__ == "__main__":
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    draw_contact_sheet().save(OUTPUT, "WEBP", quality=90, method=6)
    print(OUTPUT, OUTPUT.stat().st_size, "bytes")
