"""Picture files to pixels, as open_clip preprocesses them, but kept as uint8, un-normalised.

A picture is turned as its EXIF orientation says, transparency becomes white, and of several frames
or pages the first is taken. Of a picture with more pixels than LARGE no more is kept than the
wanted size needs, so that its other modes are never held beside it.
"""

import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from threading import Lock

import numpy as np
import torch
from PIL import ExifTags, Image, UnidentifiedImageError
from torch import Tensor

from fedmvp_core.data.pixels.grey import to_eight_bits
from fedmvp_core.errors import DataError

# Whatever Pillow raises for files that are no pictures or of numbers without a scale, and, in its
# own words of no use to anybody, for damaged ones.
UNREADABLE = (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError)
DAMAGED = (LookupError, TypeError, AttributeError, ArithmeticError, struct.error, zlib.error)

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # EXIF orientation -> what makes the picture upright, as in Pillow's exif_transpose

LARGE = 89_478_485  # pixels: where Pillow begins to warn; it refuses twice as many
LONG = 16  # of a picture with a longer side of so many shorter ones, only the centre is scaled
BAND = 2**24  # pixels of a large picture that are converted at once
# Above LARGE Pillow warns without the file's name; such pictures are read here within bounds.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
_one_at_a_time = Lock()  # a large picture may need a gigabyte


def load_picture(path: Path, size: int) -> Tensor:
    """Decode a file: shorter side to `size` (bicubic), centre crop, transparency on white.

    Returns: (3, size, size) uint8.
    Raises:
        DataError: the file is missing, or is no picture.
    """
    with opened(path) as picture:
        return to_tensor(resize_and_crop(upright(picture, size), size))


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """A picture file whose pixels are decoded inside the block.

    Raises:
        DataError: the file is missing, or is no picture; also for what Pillow finds in the block.
    """
    try:
        with Image.open(path) as picture:
            yield picture
    except FileNotFoundError as error:
        raise DataError(f"picture '{path}' does not exist") from error
    except Image.DecompressionBombError as error:
        most = 2 * (Image.MAX_IMAGE_PIXELS or LARGE)
        raise DataError(
            f"'{path}' cannot be read as a picture: it has more than {most:,} pixels, the most "
            "that are decoded; make it smaller"
        ) from error
    except UNREADABLE as error:
        raise DataError(f"'{path}' cannot be read as a picture: {error}") from error
    except DAMAGED as error:
        raise DataError(
            f"'{path}' cannot be read as a picture: it is damaged ({error!r})"
        ) from error


def upright(picture: Image.Image, size: int) -> Image.Image:
    """Its pixels as RGB, turned as EXIF says; with more than LARGE of them, some 2 `size` wide.

    Raises:
        ValueError: numbers without a scale, see `to_eight_bits`; and what Pillow raises.
    """
    large = picture.width * picture.height > LARGE
    with _one_at_a_time if large else nullcontext():
        if large:
            picture.draft("RGB", (2 * size, 2 * size))  # a JPEG is decoded at 1/2, 1/4 or 1/8
        picture.load()
        rgb = _reduced(picture, size) if large else to_rgb(picture)
    turn = TURNS.get(orientation(picture))
    return rgb if turn is None else rgb.transpose(turn)


def orientation(picture: Image.Image) -> int:
    """The EXIF tag; 1, upright, if there is none or the EXIF data are damaged.

    A PNG's may come after its pixels. Pillow turns TIFFs itself and drops the tag, when they load.
    """
    try:
        tag = picture.getexif().get(ExifTags.Base.Orientation)
    except (*UNREADABLE, *DAMAGED):
        return 1
    return tag if isinstance(tag, int) else 1


def to_rgb(picture: Image.Image) -> Image.Image:
    """Of any mode, transparency on white; itself, if it is RGB already.

    Raises:
        ValueError: numbers without a scale, see `to_eight_bits`; or no way to RGB is known.
    """
    if picture.mode[0] in "IF":
        return to_eight_bits(picture).convert("RGB")
    if picture.mode in ("RGBa", "La"):
        picture = picture.convert(picture.mode.upper())
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        layer = picture.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(white, layer).convert("RGB")
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _reduced(picture: Image.Image, size: int) -> Image.Image:
    """A loaded picture as RGB, means of so many pixels that its shorter side is 2 `size` or more.

    It is converted in bands of rows: the whole in another mode would be as large again.
    """
    if picture.mode[0] in "IF":
        picture = to_eight_bits(picture)  # by the range of the whole, so not in bands
    width, height = picture.size
    step = max(1, min(width, height) // (2 * size))
    rows = step * max(1, BAND // (width * step))
    reduced = Image.new("RGB", (-(-width // step), -(-height // step)))
    for top in range(0, height, rows):
        band = picture.crop((0, top, width, min(top + rows, height)))
        reduced.paste(to_rgb(band).reduce(step), (0, top // step))
    return reduced


def resize_and_crop(picture: Image.Image, size: int) -> Image.Image:
    """Scale the shorter side to `size` and cut the centre square."""
    width, height = picture.size
    if (width, height) == (size, size):
        return picture
    # Rounded as torchvision's Resize and CenterCrop do, so that pixels equal open_clip's.
    shorter = min(width, height)
    wide, high = size * width // shorter, size * height // shorter
    left, top = round((wide - size) / 2), round((high - size) / 2)
    if max(width, height) > LONG * shorter:
        across, down = width / wide, height / high
        right, bottom = min((left + size) * across, width), min((top + size) * down, height)
        box = (left * across, top * down, right, bottom)
        return picture.resize((size, size), Image.Resampling.BICUBIC, box=box)
    picture = picture.resize((wide, high), Image.Resampling.BICUBIC)
    return picture.crop((left, top, left + size, top + size))


def to_tensor(picture: Image.Image) -> Tensor:
    """(height, width) RGB picture -> (3, height, width) uint8."""
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous()
