"""Small sets of pictures with several labels each, that a model can learn in no time."""

import torch

from fedmvp_core.data.image_set import Dataset, ImageSet

CLASSES = ("blue", "green", "loud", "red")


def small_scenes(images: int, seed: int, unknown: float = 0.0) -> ImageSet:
    """Pictures of noise in which a class, where it is there, has a bright stripe of its own.

    unknown: the share of labels that are -1.
    """
    draw = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 120, (images, 3, 64, 64), generator=draw, dtype=torch.uint8)
    labels = torch.randint(0, 2, (images, len(CLASSES)), generator=draw)
    for row, column in labels.nonzero().tolist():
        pixels[row, column % 3, :, 16 * column : 16 * column + 16] = 250
    hidden = torch.rand(labels.shape, generator=draw) < unknown
    names = tuple(f"scene {seed}-{i}" for i in range(images))
    domains = tuple("ab"[i % 2] for i in range(images))
    return ImageSet(pixels, labels.masked_fill(hidden, -1), domains, names, CLASSES)


def small_dataset() -> Dataset:
    """24 training, 12 validation and 16 test pictures."""
    parts = (small_scenes(24, 1), small_scenes(12, 2), small_scenes(16, 3))
    return Dataset("small-scenes", *parts)
