"""Common corruptions at five severities (Hendrycks and Dietterich, ICLR 2019: ImageNet-C).

Fourteen of its fifteen: frost, which needs photographs of it, is not here. The constants are those
of CIFAR-10-C for images of up to 48 pixels, of Tiny-ImageNet-C for up to 128, of ImageNet-C above.
The draws are this project's own, so the images are not those of the published files.
"""

from collections.abc import Callable
from io import BytesIO

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms.functional import gaussian_blur

from fedmvp_core.data.warps import elastic, fog, glass_blur, motion_blur, snow, zoom_blur
from fedmvp_core.errors import ConfigError

SEVERITIES = (1, 2, 3, 4, 5)
_SMALL, _MIDDLE = 48, 128  # pixels
# name -> for small, middle and large images, the constant of each severity
_CONSTANTS: dict[str, tuple[tuple[object, ...], ...]] = {
    "gaussian-noise": (
        (0.04, 0.06, 0.08, 0.09, 0.1),
        (0.04, 0.08, 0.12, 0.15, 0.18),
        (0.08, 0.12, 0.18, 0.26, 0.38),
    ),
    "shot-noise": ((500, 250, 100, 75, 50), (250, 100, 50, 30, 15), (60, 25, 12, 5, 3)),
    "impulse-noise": (
        (0.01, 0.02, 0.03, 0.05, 0.07),
        (0.01, 0.02, 0.05, 0.08, 0.14),
        (0.03, 0.06, 0.09, 0.17, 0.27),
    ),
    "defocus-blur": (  # radius, standard deviation of the blurred edge
        ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)),
        ((0.5, 0.6), (1, 0.1), (1.5, 0.1), (2.5, 0.01), (3, 0.1)),
        ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)),
    ),
    "motion-blur": (  # radius, standard deviation along the way
        ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)),
        ((10, 1), (10, 1.5), (10, 2), (10, 2.5), (12, 3)),
        ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15)),
    ),
    "glass-blur": (  # standard deviation, reach of a pixel's move, passes
        ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
        ((0.1, 1, 1), (0.5, 1, 1), (0.6, 1, 2), (0.7, 2, 1), (0.9, 2, 2)),
        ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
    ),
    "zoom-blur": (  # zooms from 1 to below the first number, by steps of the second
        ((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)),
        ((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)),
        ((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)),
    ),
    "fog": (  # thickness, decay of finer waves
        ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)),
        ((0.4, 3), (0.7, 3), (1, 2.5), (1.5, 2), (2, 1.75)),
        ((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)),
    ),
    "snow": (  # mean and deviation of the noise, zoom, threshold, radius and sigma, share
        (
            (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
            (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
            (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
            (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
            (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
        ),
        (
            (0.1, 0.2, 1, 0.6, 8, 3, 0.8),
            (0.1, 0.2, 1, 0.5, 10, 4, 0.8),
            (0.15, 0.3, 1.75, 0.55, 10, 4, 0.7),
            (0.25, 0.3, 2.25, 0.6, 12, 6, 0.65),
            (0.3, 0.3, 1.25, 0.65, 14, 12, 0.6),
        ),
        (
            (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
            (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
            (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
            (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
            (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
        ),
    ),
    "elastic": (  # amplitude, smoothness, affine, as parts of the size
        ((0, 0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03)),
        ((0, 0, 0.08), (0.05, 0.3, 0.06), (0.1, 0.08, 0.06), (0.1, 0.03, 0.03), (0.16, 0.03, 0.02)),
        ((2, 0.7, 0.1), (2, 0.08, 0.2), (0.05, 0.01, 0.02), (0.07, 0.01, 0.02), (0.12, 0.01, 0.02)),
    ),
    "brightness": (
        (0.05, 0.1, 0.15, 0.2, 0.3),
        (0.1, 0.2, 0.3, 0.4, 0.5),
        (0.1, 0.2, 0.3, 0.4, 0.5),
    ),
    "contrast": (
        (0.75, 0.5, 0.4, 0.3, 0.15),
        (0.4, 0.3, 0.2, 0.1, 0.05),
        (0.4, 0.3, 0.2, 0.1, 0.05),
    ),
    "pixelate": (
        (0.95, 0.9, 0.85, 0.75, 0.65),
        (0.9, 0.8, 0.7, 0.6, 0.5),
        (0.6, 0.5, 0.4, 0.3, 0.25),
    ),
    "jpeg": ((80, 65, 58, 50, 40), (65, 58, 50, 40, 25), (25, 18, 15, 10, 7)),
}
CORRUPTIONS = tuple(_CONSTANTS)


def corrupted(images: Tensor, name: str, severity: int, generator: torch.Generator) -> Tensor:
    """images: (n, 3, size, size) uint8 on the CPU -> the same, each corrupted by itself.

    Raises:
        ConfigError: no such corruption or severity.
    """
    if name not in _CONSTANTS:
        raise ConfigError(f"corruption is '{name}'; allowed: {', '.join(CORRUPTIONS)}")
    if severity not in SEVERITIES:
        raise ConfigError(f"severity is {severity}; allowed: 1 to 5")
    size = images.shape[-1]
    scale = 0 if size <= _SMALL else 1 if size <= _MIDDLE else 2
    constant = _CONSTANTS[name][scale][severity - 1]
    if name in _OF_FILES:
        return torch.stack([_of_file(image, name, constant) for image in images])
    changed = _OF_PIXELS[name](images.float() / 255, constant, generator)
    return (changed.clamp(0, 1) * 255).to(torch.uint8)


def _gaussian_noise(x: Tensor, c: float, draws: torch.Generator) -> Tensor:
    return x + c * torch.randn(x.shape, generator=draws)


def _shot_noise(x: Tensor, c: float, draws: torch.Generator) -> Tensor:
    return torch.poisson(x * c, generator=draws) / c


def _impulse_noise(x: Tensor, c: float, draws: torch.Generator) -> Tensor:
    hit = torch.rand(x.shape, generator=draws) < c
    salt = (torch.rand(x.shape, generator=draws) < 0.5).to(x)
    return torch.where(hit, salt, x)


def _defocus_blur(x: Tensor, c: tuple[float, float], draws: torch.Generator) -> Tensor:
    radius, sigma = c
    edge = 3 if radius <= 8 else 5
    half = int(radius) + edge  # wide enough that nothing is reflected into the disk
    line = torch.arange(-half, half + 1.0)
    disk = (line[:, None] ** 2 + line**2 <= radius**2).float()
    kernel = gaussian_blur((disk / disk.sum())[None], [edge, edge], [sigma, sigma])
    padded = F.pad(x, (half,) * 4, mode="reflect")
    return F.conv2d(padded, kernel.expand(3, 1, -1, -1), groups=3)


def _brightness(x: Tensor, c: float, draws: torch.Generator) -> Tensor:
    """More of V in HSV: hue and saturation stay, and black becomes grey."""
    value = x.amax(dim=1, keepdim=True)
    brighter = (value + c).clamp(max=1)
    return torch.where(value > 0, x * brighter / value.clamp(min=1e-6), brighter)


def _contrast(x: Tensor, c: float, draws: torch.Generator) -> Tensor:
    means = x.mean(dim=(2, 3), keepdim=True)
    return (x - means) * c + means


_OF_PIXELS: dict[str, Callable[..., Tensor]] = {
    "gaussian-noise": _gaussian_noise,
    "shot-noise": _shot_noise,
    "impulse-noise": _impulse_noise,
    "defocus-blur": _defocus_blur,
    "motion-blur": motion_blur,
    "glass-blur": glass_blur,
    "zoom-blur": zoom_blur,
    "fog": fog,
    "snow": snow,
    "elastic": elastic,
    "brightness": _brightness,
    "contrast": _contrast,
}


def _pixelate(picture: Image.Image, c: float) -> Image.Image:
    size = int(picture.width * c), int(picture.height * c)
    return picture.resize(size, Image.Resampling.BOX).resize(picture.size, Image.Resampling.BOX)


def _jpeg(picture: Image.Image, c: int) -> Image.Image:
    buffer = BytesIO()
    picture.save(buffer, "JPEG", quality=c)
    return Image.open(buffer)


_OF_FILES: dict[str, Callable[..., Image.Image]] = {"pixelate": _pixelate, "jpeg": _jpeg}


def _of_file(image: Tensor, name: str, constant: object) -> Tensor:
    picture = Image.fromarray(image.permute(1, 2, 0).numpy())
    changed = np.array(_OF_FILES[name](picture, constant))
    return torch.from_numpy(changed).permute(2, 0, 1).contiguous()
