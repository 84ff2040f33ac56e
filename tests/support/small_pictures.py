"""Generated picture folders, small enough for whole federations in seconds."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image


def write_picture(path: Path, seed: int, size: tuple[int, int] = (64, 64)) -> None:
    """A picture whose left part has a colour of its own, so that no two seeds look alike."""
    draw = np.random.default_rng(seed)
    pixels = draw.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    pixels[:, : size[0] // 2] = draw.integers(0, 256, 3, dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def write_folder(
    root: Path,
    classes: Sequence[str],
    pictures: int,
    domains: Sequence[str] = ("",),
    splits: Sequence[str] = ("",),
) -> Path:
    """root/[split/][domain/]class/NN.png, `pictures` of each."""
    seed = 0
    for split in splits:
        for domain in domains:
            for name in classes:
                for number in range(pictures):
                    write_picture(root / split / domain / name / f"{number:02d}.png", seed)
                    seed += 1
    return root
