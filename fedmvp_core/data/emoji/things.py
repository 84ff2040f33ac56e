"""EmojiThings: EmojiDomains' evaluation pool with each concept a class ("penguin", "banjo").

A class has one picture in each of the six styles: three for training, one for validation, two for
the test, which styles those are goes round by concept. No concept was seen in pretraining.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch

from fedmvp_core.config import DataSection, RunSection
from fedmvp_core.data.emoji.domains import STYLES, concept_table, open_sheet, tile_of
from fedmvp_core.data.image_set import Dataset, ImageSet

# How far a style is from the first of a concept's turn -> split. Turns go round by concept.
TURNS = ("train", "test", "train", "validation", "train", "test")

MOST_TAGS = 5  # attributes of a class; the further down OpenMoji's list, the less a tag shows


def load(data: DataSection, run: RunSection, image_size: int) -> Dataset:
    """One class a concept of the evaluation pool, at `image_size` pixels."""
    return _load(image_size)


@lru_cache(maxsize=2)
def _load(image_size: int) -> Dataset:
    return things(evaluation_concepts(), image_size)


def evaluation_concepts() -> list[dict[str, Any]]:
    """The concepts that were kept out of pretraining, by name; of each its index, class, tags."""
    concepts = [
        concept for concept in concept_table()["concepts"] if concept["pool"] == "evaluation"
    ]
    return sorted(concepts, key=lambda concept: str(concept["name"]))


def things(concepts: Sequence[dict[str, Any]], image_size: int) -> Dataset:
    """Each of these concepts a class, in their order; its attributes are its tags."""
    class_names = tuple(concept["name"] for concept in concepts)
    sheets = {style: open_sheet(style) for style in STYLES}

    def split(name: str) -> ImageSet:
        rows = [
            (label, style)
            for label in range(len(concepts))
            for turn, style in enumerate(STYLES)
            if TURNS[(turn + label) % len(TURNS)] == name
        ]
        pictures = [
            tile_of(sheets[style], concepts[label]["index"], image_size) for label, style in rows
        ]
        return ImageSet(
            images=torch.stack(pictures),
            labels=torch.tensor([label for label, _ in rows]),
            domains=tuple(style for _, style in rows),
            names=tuple(f"{class_names[label]} ({style})" for label, style in rows),
            class_names=class_names,
        )

    attributes = {
        concept["name"]: tuple(tag for tag in concept["tags"] if tag != concept["name"])[:MOST_TAGS]
        for concept in concepts
    }
    return Dataset("emojithings", split("train"), split("validation"), split("test"), attributes)
