"""Random crops and mirror images, as CoOp's code draws them, from a generator of one's own."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

AREA = (0.08, 1.0)  # of the picture's
SIDES = (3 / 4, 4 / 3)  # width : height
MIRRORED = 0.5


def random_crops(images: Tensor, draw: torch.Generator) -> Tensor:
    """A crop of each image, scaled back to its size (bicubic, antialiased) and perhaps mirrored.

    images: (n, 3, height, width) uint8, of any device; the crops are as they are. draw: on the CPU.
    """
    from torchvision.transforms import v2  # seconds of imports, which only crops need

    size = images.shape[-2:]
    bicubic = v2.InterpolationMode.BICUBIC
    crop = v2.Compose(
        [
            v2.RandomResizedCrop(size, scale=AREA, ratio=SIDES, interpolation=bicubic),
            v2.RandomHorizontalFlip(MIRRORED),
        ]
    )
    with _drawing_from(draw):
        return torch.stack([crop(image) for image in images])


@contextmanager
def _drawing_from(draw: torch.Generator) -> Iterator[None]:
    """Inside the block torch's global CPU generator, torchvision's only one, is `draw`."""
    with torch.random.fork_rng(devices=[]):
        torch.set_rng_state(draw.get_state())
        yield
        draw.set_state(torch.get_rng_state())
