"""Picture files to pixels, as open_clip preprocesses them, but kept as uint8, un-normalised."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from fedmvp_core.errors import DataError

# Whatever Pillow raises for files that are damaged, no pictures, or absurdly large.
UNREADABLE = (
    UnidentifiedImageError,
    Image.DecompressionBombError,
    OSError,
    SyntaxError,
    ValueError,
)


def load_picture(path: Path, size: int) -> Tensor:
    """Decode a file: shorter side to `size` (bicubic), centre crop, transparency on white.

    Returns: (3, size, size) uint8.
    Raises:
        DataError: the file is missing, or is no picture.
    """
    return to_tensor(resize_and_crop(open_picture(path), size))


def open_picture(path: Path) -> Image.Image:
    """Decode a file to RGB at its own size, transparency on white.

    Raises:
        DataError: the file is missing, or is no picture.
    """
    try:
        with Image.open(path) as opened:
            return _on_white(opened)
    except FileNotFoundError as error:
        raise DataError(f"picture '{path}' does not exist") from error
    except UNREADABLE as error:
        raise DataError(f"'{path}' cannot be read as a picture: {error}") from error


def _on_white(opened: Image.Image) -> Image.Image:
    if opened.mode.startswith("I"):  # 16 bits, which Pillow would clip at 255 instead of scaling
        eight_bits = (np.asarray(opened) / 257).round().clip(0, 255).astype(np.uint8)
        return Image.fromarray(eight_bits).convert("RGB")
    if opened.mode in ("RGBA", "LA", "PA") or "transparency" in opened.info:
        layer = opened.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(white, layer).convert("RGB")
    return opened.convert("RGB")


def resize_and_crop(picture: Image.Image, size: int) -> Image.Image:
    """Scale the shorter side to `size` and cut the centre square."""
    width, height = picture.size
    if (width, height) == (size, size):
        return picture
    # Rounded as torchvision's Resize and CenterCrop do, so that pixels equal open_clip's.
    shorter = min(width, height)
    wide, high = size * width // shorter, size * height // shorter
    picture = picture.resize((wide, high), Image.Resampling.BICUBIC)
    left, top = round((wide - size) / 2), round((high - size) / 2)
    return picture.crop((left, top, left + size, top + size))


def to_tensor(picture: Image.Image) -> Tensor:
    """(height, width) RGB picture -> (3, height, width) uint8."""
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous()
