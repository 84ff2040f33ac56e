"""What a caller has of pictures, as the pixels that a backbone takes."""

from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

import torch
from PIL import Image
from torch import Tensor

from fedmvp_core.data.pixels.pictures import (
    DAMAGED,
    UNREADABLE,
    load_picture,
    resize_and_crop,
    to_tensor,
    upright,
)
from fedmvp_core.errors import DataError

Picture: TypeAlias = Image.Image | str | Path
Pictures: TypeAlias = Picture | Iterable[Picture] | Tensor


def pixels_of(images: Pictures, size: int) -> Tensor:
    """(n, 3, size, size): uint8 of pictures and paths; of a tensor floats in [0, 1], or its uint8.

    images: PIL pictures or paths, or one of them, or a tensor (n, 3, height, width). Whatever is of
    another size is scaled by its shorter side and cut to the centre square.

    Raises:
        DataError: there is none, one is no picture, or a tensor is of another shape or range.
    """
    if isinstance(images, Tensor):
        return _of_tensor(images, size)
    given = [images] if isinstance(images, Image.Image | str | Path) else list(images)
    if not given:
        raise DataError("images are an empty list; allowed: one picture or more")
    return torch.stack([_of_picture(image, size) for image in given])


def _of_picture(image: Picture, size: int) -> Tensor:
    if isinstance(image, str | Path):
        return load_picture(Path(image).expanduser(), size)
    if not isinstance(image, Image.Image):
        raise DataError(
            f"images hold a {type(image).__name__}; allowed: PIL pictures and paths, or one tensor "
            "(n, 3, height, width)"
        )
    try:
        return to_tensor(resize_and_crop(upright(image, size), size))
    except (*UNREADABLE, *DAMAGED) as error:
        raise DataError(f"a PIL picture cannot be read: {error}") from error


def _of_tensor(images: Tensor, size: int) -> Tensor:
    shape = tuple(images.shape)
    if images.ndim != 4 or shape[1] != 3 or 0 in shape:
        raise DataError(f"images have shape {shape}; allowed: (n, 3, height, width), n above 0")
    if images.dtype != torch.uint8:
        if not images.is_floating_point():
            raise DataError(f"images are {images.dtype}; allowed: floats in [0, 1], or uint8")
        images = images.detach().float()
        low, high = float(images.min()), float(images.max())
        if not (low >= 0 and high <= 1):  # NaN too
            raise DataError(f"images reach from {low:g} to {high:g}; allowed: floats in [0, 1]")
    if shape[2:] == (size, size):
        return images
    from torchvision.transforms.v2 import functional as scaling

    high_wide = scaling.resize(images, [size], scaling.InterpolationMode.BICUBIC, antialias=True)
    cut = scaling.center_crop(high_wide, [size, size])
    return cut if cut.dtype == torch.uint8 else cut.clamp(0, 1)
