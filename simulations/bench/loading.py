"""Reading a shard's pixels from the cache, beside decoding its JPEGs in every epoch.

cached    map the cached pixels and copy them once, as a transfer to a device does
decoded   open, scale and crop each JPEG again, in as many threads as torch uses

The pictures are drawn noise over smooth gradients, 500 x 375 pixels as ImageNet's are on average,
at JPEG quality 90.
"""

import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from fedmvp_core.data.pixels.files import read_pixels
from simulations.bench.inputs import Inputs
from simulations.bench.paired import take_turns
from simulations.bench.record import Measured

DECODED, CACHED = "decoded", "cached"
DIFFERENT = 50  # pictures that are drawn; the others are copies of them
WIDTH, HEIGHT = 500, 375
SIZES = {"tiny": 64}  # pixels that a backbone asks for; 224 otherwise


def measure(inputs: Inputs) -> list[Measured]:
    """An epoch of pictures at the backbone's size."""
    sizes = inputs.sizes
    with tempfile.TemporaryDirectory() as scratch:
        size = SIZES.get(sizes.backbone, 224)
        return [compare(Path(scratch), sizes.images, size, sizes.turns)]


def compare(scratch: Path, pictures: int, size: int, turns: int) -> Measured:
    """Both sides for so many epochs, over pictures that are written into `scratch`."""
    paths = write_pictures(scratch / "pictures", pictures)
    cache = scratch / "cache"
    filled = _seconds(paths, size, cache)
    sides = {
        DECODED: partial(_seconds, paths, size, None),
        CACHED: partial(_seconds, paths, size, cache),
    }
    values = take_turns(sides, turns)
    told = {"pictures": pictures, "pixels": size}
    facts = {"seconds to fill the cache": round(filled, 2)}
    return Measured("loading", "loading", "s", CACHED, values, pictures, told, facts)


def write_pictures(folder: Path, number: int) -> Sequence[Path]:
    """JPEG files, of which every DIFFERENT-th is the same."""
    folder.mkdir()
    draw = np.random.default_rng(0)
    paths = [folder / f"{i:05d}.jpg" for i in range(number)]
    for path in paths[:DIFFERENT]:
        corners = Image.fromarray(draw.integers(0, 256, (6, 8, 3), dtype=np.uint8))
        smooth = np.asarray(corners.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))
        noisy = smooth + draw.normal(0, 8, smooth.shape)
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(path, quality=90)
    for i, path in enumerate(paths[DIFFERENT:]):
        path.write_bytes(paths[i % DIFFERENT].read_bytes())
    return paths


def _seconds(paths: Sequence[Path], size: int, cache: Path | None) -> float:
    """Of one epoch."""
    began = time.perf_counter()
    read_pixels(paths, size, cache).clone()
    return time.perf_counter() - began
