"""Build the EmojiDomains sheets and concepts.json from the npm packages of six emoji fonts.

    python -m simulations.assets.build_emojidomains --npm path/to/node_modules

The result is committed, so that only someone who changes the benchmark has to run this.
"""

from __future__ import annotations

import argparse
import io
import json
import random
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from simulations.assets.concept_table import CLASS_NAMES, GROUPS
from simulations.assets.manifest import ASSETS, write_manifest

TILE = 64
COLUMNS = 32
SEED = 0
PRETRAINING_SHARE = 0.6
MINIMUM_CONCEPTS = 4
NUM_ATTRIBUTES = 10
SHEET_BUDGET = 5_000_000

Concept = dict[str, Any]


def render_svg(path: Path) -> Image.Image:
    """The SVG file at `path` as a 64x64 RGBA picture."""
    import resvg_py  # only a builder needs it

    png = bytes(resvg_py.svg_to_bytes(svg_path=str(path), width=TILE, height=TILE))
    return Image.open(io.BytesIO(png)).convert("RGBA")


def find_file(folder: Path, codepoint: str, suffix: str, upper: bool = False) -> Path | None:
    """The file of a codepoint; vendors differ in case and in whether they write U+FE0F."""
    for code in (codepoint, codepoint.replace("-FE0F", ""), f"{codepoint}-FE0F"):
        path = folder / ((code if upper else code.lower()) + suffix)
        if path.exists():
            return path
    return None


def style_folders(npm: Path) -> dict[str, Callable[[str], Path | None]]:
    """Style name -> function from codepoint to the vendor's file."""
    google = npm / "emoji-datasource-google/img/google/64"
    twitter = npm / "emoji-datasource-twitter/img/twitter/64"
    openmoji = npm / "openmoji"
    flat = npm / "@lobehub/fluent-emoji-flat/assets"
    volume = npm / "@lobehub/fluent-emoji-3d/assets"
    return {
        "noto": lambda code: find_file(google, code, ".png"),
        "twemoji": lambda code: find_file(twitter, code, ".png"),
        "openmoji": lambda code: find_file(openmoji / "color/svg", code, ".svg", upper=True),
        "sketch": lambda code: find_file(openmoji / "black/svg", code, ".svg", upper=True),
        "fluent-flat": lambda code: find_file(flat, code, ".svg"),
        "fluent-3d": lambda code: find_file(volume, code, ".webp"),
    }


def load_tile(path: Path) -> Image.Image:
    """A vendor's picture as a 64x64 RGB tile on white."""
    picture = render_svg(path) if path.suffix == ".svg" else Image.open(path).convert("RGBA")
    if picture.size != (TILE, TILE):
        picture = picture.resize((TILE, TILE), Image.Resampling.LANCZOS)
    tile = Image.new("RGBA", (TILE, TILE), "white")
    tile.alpha_composite(picture)
    return tile.convert("RGB")


def split_list(text: str) -> list[str]:
    """A comma-separated cell as a list of lower-case phrases."""
    return [part.strip().lower() for part in text.split(",") if part.strip()]


def read_concepts(npm: Path) -> list[Concept]:
    """The concepts that every style draws, in Unicode's order."""
    rows = json.loads((npm / "openmoji/data/openmoji.json").read_text())
    folders = style_folders(npm).values()
    concepts: list[Concept] = []
    for row in rows:
        if row["group"] not in GROUPS or row["skintone"]:
            continue
        if any(find(row["hexcode"]) is None for find in folders):
            continue
        tags = split_list(row["tags"]) + split_list(row["openmoji_tags"])
        concepts.append(
            {
                "index": len(concepts),
                "codepoint": row["hexcode"],
                "name": row["annotation"].replace("“", "").replace("”", "").lower(),
                "group": row["group"],
                "subgroup": row["subgroups"],
                "class": CLASS_NAMES[row["subgroups"]],
                "tags": list(dict.fromkeys(tags)),
                "pool": "pretraining",
                "split": None,
            }
        )
    return concepts


def assign_pools(concepts: list[Concept], seed: int = SEED) -> None:
    """Cut every subgroup, in place: 60 % pretraining; the rest 45/20/35 train/validation/test."""
    members: dict[str, list[Concept]] = defaultdict(list)
    for concept in concepts:
        members[concept["subgroup"]].append(concept)
    for subgroup, group in sorted(members.items()):
        shuffled = random.Random(f"{seed}/{subgroup}").sample(group, len(group))
        evaluation = shuffled[: round((1 - PRETRAINING_SHARE) * len(group))]
        num_validation = max(1, round(0.20 * len(evaluation)))
        num_train = max(1, round(0.45 * len(evaluation)))
        for position, concept in enumerate(evaluation):
            concept["pool"] = "evaluation"
            if position < num_validation:
                concept["split"] = "validation"
            elif position < num_validation + num_train:
                concept["split"] = "train"
            else:
                concept["split"] = "test"


def evenly_spaced(items: list[str], count: int) -> list[str]:
    """At most `count` items, spread over the whole list."""
    if len(items) <= count:
        return items
    return [items[(2 * i + 1) * len(items) // (2 * count)] for i in range(count)]


def attributes_of(class_name: str, concepts: list[Concept]) -> list[str]:
    """Ten phrases for "a picture of a {class}, such as {attribute}".

    They come from the class's pretraining-pool concepts alone: names spread evenly over Unicode's
    order, which keeps like beside like; then, for small classes, their tags, the commonest first;
    then plain forms of those tags. Whatever names an evaluation concept or the class itself is
    left out.
    """
    taken = {c["name"] for c in concepts if c["pool"] == "evaluation"} | {class_name}
    own = [c for c in concepts if c["pool"] == "pretraining" and c["class"] == class_name]
    names = [c["name"] for c in own if c["name"] not in taken]
    phrases = evenly_spaced(list(dict.fromkeys(names)), NUM_ATTRIBUTES)
    counts = Counter(tag for c in own for tag in c["tags"] if tag not in taken)
    tags = [tag for tag, _ in counts.most_common()]
    forms = ("{}", "{} " + class_name, "kind of {}", "sort of {}", "something like a {}")
    for phrase in (form.format(tag) for form in forms for tag in tags):
        if len(phrases) == NUM_ATTRIBUTES:
            break
        if phrase not in phrases and f"{phrase}s" not in phrases:
            phrases.append(phrase)
    return phrases


def benchmark_classes(concepts: list[Concept]) -> list[str]:
    """Classes with at least four evaluation concepts, sorted."""
    counts = Counter(c["class"] for c in concepts if c["pool"] == "evaluation")
    return sorted(name for name, count in counts.items() if count >= MINIMUM_CONCEPTS)


def build_sheet(paths: list[Path]) -> Image.Image:
    """Tiles in a grid of 32 columns, row-major."""
    rows = -(-len(paths) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * TILE, rows * TILE), "white")
    for index, path in enumerate(paths):
        corner = ((index % COLUMNS) * TILE, (index // COLUMNS) * TILE)
        sheet.paste(load_tile(path), corner)
    return sheet


def encode(sheet: Image.Image, quality: int | None) -> bytes:
    """WebP bytes of a sheet; lossless where `quality` is None."""
    buffer = io.BytesIO()
    if quality is None:
        sheet.save(buffer, "WEBP", lossless=True, quality=70, method=4)
    else:
        sheet.save(buffer, "WEBP", quality=quality, method=6)
    return buffer.getvalue()


def pack_sheets(sheets: dict[str, Image.Image], folder: Path) -> None:
    """Write the sheets, lossless if all fit the budget; else the largest ones lose first."""
    packed = {style: encode(sheet, None) for style, sheet in sheets.items()}
    for style in sorted(packed, key=lambda name: -len(packed[name])):
        if sum(map(len, packed.values())) <= SHEET_BUDGET:
            break
        packed[style] = encode(sheets[style], 92)
    for style, data in packed.items():
        (folder / f"{style}.webp").write_bytes(data)
        print(f"{style:12s} {len(data):9,d} bytes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--npm", type=Path, required=True, help="node_modules with the packages")
    npm = parser.parse_args().npm
    concepts = read_concepts(npm)
    assign_pools(concepts)
    benchmark = benchmark_classes(concepts)
    present = sorted({c["class"] for c in concepts})
    document = {
        "seed": SEED,
        "classes": {key: name for key, name in CLASS_NAMES.items() if name in present},
        "benchmark": benchmark,
        "attributes": {name: attributes_of(name, concepts) for name in present},
        "concepts": concepts,
    }
    folder = ASSETS / "emojidomains"
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(document, ensure_ascii=False, indent=1)
    (folder / "concepts.json").write_text(text + "\n")
    sheets = {}
    for style, find in style_folders(npm).items():
        paths = [find(c["codepoint"]) for c in concepts]
        sheets[style] = build_sheet([path for path in paths if path is not None])
    pack_sheets(sheets, folder)
    write_manifest()
    print(f"{len(concepts)} concepts, {len(benchmark)} benchmark classes")


if __name__ == "__main__":
    main()
