"""Reading a shard's pixels from the cache, against decoding its JPEGs in every epoch.

    python -m simulations.benchmarks.decoding [--pictures 10000] [--size 224] [--epochs 3]

cached    map the cached pixels and copy them once, as a transfer to a device does
decoded   open, scale and crop each JPEG again, in as many threads as torch uses

The pictures are drawn noise over smooth gradients, 500 x 375 pixels as ImageNet's are on average,
at JPEG quality 90. Both are timed in turn; printed is the median of the ratios within a turn.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from fedmvp_core.data.pixels.files import read_pixels

DIFFERENT = 50  # pictures that are drawn; the others are copies of them
WIDTH, HEIGHT = 500, 375


def main() -> None:
    """Print the seconds of both sides and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--epochs", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        print(compare(Path(scratch), options.pictures, options.size, options.epochs))


def compare(scratch: Path, pictures: int, size: int, epochs: int) -> str:
    """Both sides for so many epochs, over pictures that are written into `scratch`."""
    paths = write_pictures(scratch / "pictures", pictures)
    cache = scratch / "cache"
    filled = _seconds(lambda: read_pixels(paths, size, cache))
    cached, decoded = [], []
    for _ in range(epochs):
        cached.append(_seconds(lambda: read_pixels(paths, size, cache)))
        decoded.append(_seconds(lambda: read_pixels(paths, size, None)))
    ratios = sorted(slow / fast for slow, fast in zip(decoded, cached, strict=True))
    return (
        f"{pictures} pictures of {size} pixels, {torch.get_num_threads()} threads: "
        f"{filled:.2f} s to fill the cache, then {statistics.median(cached):.3f} s an epoch; "
        f"decoded {statistics.median(decoded):.2f} s an epoch\n"
        f"decoded / cached: {statistics.median(ratios):.1f} ({ratios[0]:.1f} to {ratios[-1]:.1f})"
    )


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


def _seconds(read: Callable[[], Tensor]) -> float:
    started = time.perf_counter()
    read().clone()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
