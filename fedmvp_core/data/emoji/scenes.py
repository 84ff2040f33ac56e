"""EmojiScenes: several emoji of EmojiDomains on one canvas, for the multi-label settings.

A canvas holds one to four different things, drawn in one style (the domain), on a plain light
background; its labels are the set of them. There are 72, two of each of EmojiDomains' classes: as
in VOC and COCO, a label names a thing ("camel"), not a kind ("mammal"). Canvases are composed from
a seed, out of pictures that are shared out as EmojiThings' are: no picture of the test scenes is in
a training scene, and no thing was seen in pretraining.

What is where is decided in units of the canvas before a pixel is drawn, so that the scenes of a
seed are the same at every image size, and the first n of a split are the same whatever n is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import torch
from PIL import Image

from fedmvp_core.config import DataSection, RunSection
from fedmvp_core.data.emoji.domains import TILE, concept_table
from fedmvp_core.data.emoji.things import evaluation_concepts, things
from fedmvp_core.data.image_set import Dataset, ImageSet
from fedmvp_core.data.pixels.files import Pixels
from fedmvp_core.seeding import derived_seed

SCENES = {"train": 1200, "validation": 300, "test": 600}
THINGS_OF_A_CLASS = 2
MOST_EMOJI = 4
# A canvas is about something: a further emoji is of the first one's theme with this probability.
SAME_THEME = 0.7
# Side of an emoji's drawing (without its white margin) in canvas sides, by how many there are.
SIDES = {1: (0.55, 0.85), 2: (0.42, 0.56), 3: (0.36, 0.48), 4: (0.34, 0.44)}
MOST_OVERLAP = 0.05  # of the smaller of two boxes
DARKEST_BACKGROUND = 225  # of 255, in each of the three channels
MARGIN = 0.02  # of the canvas, that stays free
ATTEMPTS = 12  # at a place, before everything is made smaller

# left, upper, width, height in canvas sides
Box: TypeAlias = tuple[float, float, float, float]


@dataclass(frozen=True)
class Emoji:
    """A picture without its white margin, and what it shows. pixels: (height, width, 3) uint8."""

    pixels: Pixels
    label: int
    name: str


@dataclass(frozen=True)
class Scene:
    """What is on a canvas. background: red, green, blue."""

    emoji: tuple[Emoji, ...]
    boxes: tuple[Box, ...]
    background: tuple[int, int, int]
    style: str


def load(data: DataSection, run: RunSection, image_size: int) -> Dataset:
    """1,200 training, 300 validation and 600 test scenes of the run's seed.

    Labels are (n, things) int64, 1 where a thing is on the canvas. Attributes are its tags.
    """
    return _load(run.seed, image_size)


@lru_cache(maxsize=2)
def _load(seed: int, image_size: int) -> Dataset:
    pictures = single_things()
    train, validation, test = (
        scenes(getattr(pictures, split), split, n, seed, image_size) for split, n in SCENES.items()
    )
    return Dataset("emojiscenes", train, validation, test, pictures.attributes)


def single_things() -> Dataset:
    """The pictures that canvases are made of, one thing on each, at their own size."""
    return things(_chosen(), TILE)


def _chosen() -> list[dict[str, Any]]:
    """The first two things of each class of EmojiDomains, all of them by name."""
    classes: dict[str, list[dict[str, Any]]] = {name: [] for name in concept_table()["benchmark"]}
    for concept in evaluation_concepts():
        classes.get(concept["class"], []).append(concept)
    first = [concept for things in classes.values() for concept in things[:THINGS_OF_A_CLASS]]
    return sorted(first, key=lambda concept: str(concept["name"]))


def scenes(pictures: ImageSet, split: str, n: int, seed: int, image_size: int) -> ImageSet:
    """n scenes composed of `pictures`, a split of `single_things`.

    Returns: images (n, 3, image_size, image_size) uint8; labels (n, things) int64, 1 or 0; a
    scene's domain is its style, its name what is on it.
    """
    drawn = _compose(pictures, n, np.random.default_rng(derived_seed(seed, f"scenes {split}")))
    labels = torch.zeros((n, len(pictures.class_names)), dtype=torch.int64)
    for row, scene in enumerate(drawn):
        labels[row, [emoji.label for emoji in scene.emoji]] = 1
    pixels = np.stack([_render(scene, image_size) for scene in drawn])
    return ImageSet(
        images=torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous(),
        labels=labels,
        domains=tuple(scene.style for scene in drawn),
        names=tuple(
            f"{', '.join(emoji.name for emoji in scene.emoji)} ({scene.style})" for scene in drawn
        ),
        class_names=pictures.class_names,
    )


def _compose(pictures: ImageSet, n: int, draw: np.random.Generator) -> list[Scene]:
    """One style a canvas; the things that have a picture in it are drawn evenly."""
    pool = _pool(pictures)
    themes = _themes(pictures.class_names)
    styles = sorted(set(pictures.domains))
    drawn = []
    for _ in range(n):
        style = styles[int(draw.integers(len(styles)))]
        there = [label for label in range(len(themes)) if (style, label) in pool]
        labels = _draw_labels(there, themes, 1 + int(draw.integers(MOST_EMOJI)), draw)
        emoji = tuple(pool[style, label] for label in labels)
        red, green, blue = draw.integers(DARKEST_BACKGROUND, 256, 3).tolist()
        drawn.append(Scene(emoji, _place(emoji, draw), (red, green, blue), style))
    return drawn


def _pool(pictures: ImageSet) -> Mapping[tuple[str, int], Emoji]:
    """(style, label) -> its emoji, cut out of its white margin."""
    pool: dict[tuple[str, int], Emoji] = {}
    rows = zip(pictures.images, pictures.labels.tolist(), pictures.domains, strict=True)
    for image, label, style in rows:
        pixels = image.permute(1, 2, 0).numpy()
        ink = pixels.min(axis=2) < 250
        upper, lower = np.flatnonzero(ink.any(axis=1))[[0, -1]]
        left, right = np.flatnonzero(ink.any(axis=0))[[0, -1]]
        cut = pixels[upper : lower + 1, left : right + 1]
        pool[style, label] = Emoji(cut, label, pictures.class_names[label])
    return pool


def _themes(class_names: Sequence[str]) -> list[str]:
    """Unicode's group of each thing: animals and nature, food and drink, ..."""
    group_of = {concept["name"]: concept["group"] for concept in evaluation_concepts()}
    return [group_of[name] for name in class_names]


def _draw_labels(
    there: Sequence[int], themes: Sequence[str], k: int, draw: np.random.Generator
) -> list[int]:
    """k of the labels that are there, the first one evenly, most of the others of its theme."""
    labels = [there[int(draw.integers(len(there)))]]
    while len(labels) < k:
        others = [label for label in there if label not in labels]
        related = [label for label in others if themes[label] == themes[labels[0]]]
        near = bool(related) and draw.random() < SAME_THEME
        candidates = related if near else others
        labels.append(candidates[int(draw.integers(len(candidates)))])
    return labels


def _place(emoji: Sequence[Emoji], draw: np.random.Generator) -> tuple[Box, ...]:
    """Boxes on the canvas that hardly overlap; all of them shrink until they fit."""
    shapes = []
    for one in emoji:
        height, width = one.pixels.shape[:2]
        side = draw.uniform(*SIDES[len(emoji)]) / max(height, width)
        shapes.append((side * width, side * height))
    while True:
        boxes: list[Box] = []
        for shape in shapes:
            box = _free_place(shape, boxes, draw)
            if box is None:
                break
            boxes.append(box)
        else:
            return tuple(boxes)
        shapes = [(0.95 * width, 0.95 * height) for width, height in shapes]


def _free_place(
    shape: tuple[float, float], taken: Sequence[Box], draw: np.random.Generator
) -> Box | None:
    width, height = shape
    for _ in range(ATTEMPTS):
        left = draw.uniform(MARGIN, 1 - MARGIN - width)
        upper = draw.uniform(MARGIN, 1 - MARGIN - height)
        box = (left, upper, width, height)
        if all(overlap(box, other) <= MOST_OVERLAP for other in taken):
            return box
    return None


def overlap(a: Box, b: Box) -> float:
    """What two boxes share, as a share of the smaller one."""
    wide = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    high = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    return max(wide, 0) * max(high, 0) / min(a[2] * a[3], b[2] * b[3])


def _render(scene: Scene, size: int) -> Pixels:
    """(size, size, 3) uint8. The emoji's white becomes the background, as on tinted paper."""
    canvas = np.full((size, size, 3), scene.background, dtype=np.float32)
    for emoji, (left, upper, width, height) in zip(scene.emoji, scene.boxes, strict=True):
        wide, high = max(1, round(width * size)), max(1, round(height * size))
        x, y = min(round(left * size), size - wide), min(round(upper * size), size - high)
        scaled = Image.fromarray(emoji.pixels).resize((wide, high), Image.Resampling.BICUBIC)
        canvas[y : y + high, x : x + wide] *= np.asarray(scaled, dtype=np.float32) / 255
    return canvas.round().astype(np.uint8)
