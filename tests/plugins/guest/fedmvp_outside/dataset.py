"""Stripes of six widths and two directions, drawn when they are asked for."""

from dataclasses import dataclass

import torch

from fedmvp_core.config import DataSection, RunSection
from fedmvp_core.config.options import Annotated, Between, option
from fedmvp_core.data.image_set import Dataset, ImageSet

CLASSES = tuple(f"{kind} {width}" for kind in ("columns", "rows") for width in range(2, 8))


@dataclass(frozen=True)
class ShapesOptions:
    """How many."""

    pictures: Annotated[int, Between(1, 100)] = option(4, "of a class in each split")


def shapes(data: DataSection, run: RunSection, image_size: int, options: ShapesOptions) -> Dataset:
    """The three splits differ by their noise."""
    train, validation, test = (_split(s, image_size, options.pictures) for s in range(3))
    attributes = {name: (name.split()[0], "striped") for name in CLASSES}
    return Dataset("guest-shapes", train, validation, test, attributes)


def _split(number: int, size: int, pictures: int) -> ImageSet:
    draw = torch.Generator().manual_seed(number)
    images, labels = [], []
    for label, name in enumerate(CLASSES):
        kind, width = name.split()
        line = (torch.arange(size) // int(width) % 2).float().expand(size, size)
        stripes = line if kind == "columns" else line.T
        for _ in range(pictures):
            noisy = (0.2 + 0.6 * stripes + 0.1 * torch.randn(size, size, generator=draw)).clamp(
                0, 1
            )
            images.append((255 * noisy).to(torch.uint8).expand(3, -1, -1))
            labels.append(label)
    names = tuple(f"{number}-{position}.png" for position in range(len(labels)))
    empty = ("",) * len(labels)
    return ImageSet(torch.stack(images), torch.tensor(labels), empty, names, CLASSES)
