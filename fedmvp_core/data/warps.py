"""Corruptions that move pixels or lay weather over them: motion, zoom, glass, fog, snow, elastic.

ImageNet-C's, as corruptions.py: images (n, 3, size, size), float in [0, 1]; a constant of the
severity; draws.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms.functional import gaussian_blur, rgb_to_grayscale

_ROUGHNESS = 100  # of the first and coarsest wave of fog
_ANGLE = 45  # degrees to both sides, of motion
_TRUNCATE = 3  # standard deviations to which a Gaussian reaches


def zoom_blur(x: Tensor, c: tuple[float, float], draws: torch.Generator) -> Tensor:
    """The mean of the image and of its centre, zoomed in by steps. c: largest zoom, step."""
    largest, step = c
    zooms = [1 + step * k for k in range(round((largest - 1) / step))]
    return (x + sum(_zoomed(x, zoom) for zoom in zooms)) / (len(zooms) + 1)


def _zoomed(x: Tensor, zoom: float) -> Tensor:
    """The centre of x, enlarged to the size of x."""
    size = x.shape[-1]
    inner = math.ceil(size / zoom)
    start = (size - inner) // 2
    centre = x[..., start : start + inner, start : start + inner]
    return F.interpolate(centre, (size, size), mode="bilinear", align_corners=True)


def motion_blur(x: Tensor, c: tuple[int, float], draws: torch.Generator) -> Tensor:
    """Each image is moved along a line at an angle of its own. c: radius, sigma along the way."""
    angles = math.radians(_ANGLE) * (2 * torch.rand(len(x), generator=draws) - 1)
    return _moved(x, *c, angles)


def _moved(x: Tensor, radius: int, sigma: float, angles: Tensor) -> Tensor:
    """Half a Gaussian along a line; edge pixels go on outside. angles: (n,), in radians."""
    way = torch.arange(2 * radius + 1.0)
    weights = torch.exp(-(way**2) / (2 * sigma**2))
    weights /= weights.sum()
    reach, size = 2 * radius, x.shape[-1]
    padded = F.pad(x, (reach,) * 4, mode="replicate")
    blurred = torch.zeros_like(x)
    for place, angle in enumerate(angles.tolist()):
        for weight, step in zip(weights.tolist(), way.tolist(), strict=True):
            top = reach + round(step * math.sin(angle))
            left = reach + round(step * math.cos(angle))
            blurred[place] += weight * padded[place, :, top : top + size, left : left + size]
    return blurred


def glass_blur(x: Tensor, c: tuple[float, int, int], draws: torch.Generator) -> Tensor:
    """Pixels take the colour of a neighbour, between two Gaussians. c: sigma, reach, passes.

    The published code means to swap two pixels; of NumPy's views this copies the neighbour, in the
    published files too, and so does this.
    """
    sigma, reach, passes = c
    n, size = len(x), x.shape[-1]
    pixels = (_gaussian(x, sigma) * 255).to(torch.uint8)
    every = torch.arange(n)
    for _ in range(passes):
        moves = torch.randint(-reach, reach, (size, size, 2, n), generator=draws)
        for row in range(size - reach, reach, -1):
            for column in range(size - reach, reach, -1):
                down, right = moves[row - 1, column - 1]
                pixels[:, :, row, column] = pixels[every, :, row + down, column + right]
    return _gaussian(pixels.float() / 255, sigma)


def _gaussian(x: Tensor, sigma: float) -> Tensor:
    """As scikit-image's: edge pixels go on outside, and the kernel ends at 4 sigma."""
    half = int(4 * sigma + 0.5)
    if half == 0:
        return x
    padded = F.pad(x, (half,) * 4, mode="replicate")
    blurred = gaussian_blur(padded, [2 * half + 1] * 2, [sigma, sigma])
    return blurred[..., half:-half, half:-half]


def fog(x: Tensor, c: tuple[float, float], draws: torch.Generator) -> Tensor:
    """A cloud over the image, and the contrast that it takes. c: thickness, decay of its waves."""
    thickness, decay = c
    brightest = x.amax(dim=(1, 2, 3), keepdim=True)
    cloud = clouds(len(x), x.shape[-1], decay, draws)[:, None]
    return (x + thickness * cloud) * brightest / (brightest + thickness)


def clouds(n: int, size: int, decay: float, draws: torch.Generator) -> Tensor:
    """(n, size, size), from 0 to 1 each: midpoint displacement (diamond-square) on a torus."""
    step = 2 ** math.ceil(math.log2(size))
    heights = torch.zeros(n, step, step)
    roughness = float(_ROUGHNESS)
    while step >= 2:
        half = step // 2
        corners = heights[:, ::step, ::step]
        right, below = corners.roll(-1, 2), corners.roll(-1, 1)
        middles = _between((corners, right, below, right.roll(-1, 1)), roughness, draws)
        heights[:, half::step, half::step] = middles
        around = (corners, right, middles, middles.roll(1, 1))
        heights[:, ::step, half::step] = _between(around, roughness, draws)
        around = (corners, below, middles, middles.roll(1, 2))
        heights[:, half::step, ::step] = _between(around, roughness, draws)
        step, roughness = half, roughness / decay
    low, high = heights.amin(dim=(1, 2), keepdim=True), heights.amax(dim=(1, 2), keepdim=True)
    return ((heights - low) / (high - low))[:, :size, :size]


def _between(around: tuple[Tensor, ...], roughness: float, draws: torch.Generator) -> Tensor:
    noise = 2 * torch.rand(around[0].shape, generator=draws) - 1
    return torch.stack(around).mean(dim=0) + roughness**2 * noise


def snow(
    x: Tensor, c: tuple[float, float, float, float, int, float, float], draws: torch.Generator
) -> Tensor:
    """Flakes that fall at a slant, twice, before a paler image.

    c: mean and deviation of the noise that flakes are made of, its zoom, what a flake exceeds,
    radius and sigma of its fall, share of the image that does not pale.
    """
    mean, deviation, zoom, threshold, radius, sigma, share = c
    size = x.shape[-1]
    noise = _zoomed(mean + deviation * torch.randn((len(x), 1, size, size), generator=draws), zoom)
    flakes = torch.where(noise < threshold, 0.0, noise).clamp(0, 1)
    slants = math.radians(_ANGLE) * (2 * torch.rand(len(x), generator=draws) - 1)
    falling = _moved(flakes, radius, sigma, math.pi / 2 + slants)
    pale = torch.maximum(x, 1.5 * rgb_to_grayscale(x) + 0.5)
    return share * x + (1 - share) * pale + falling + falling.rot90(2, (2, 3))


def elastic(x: Tensor, c: tuple[float, float, float], draws: torch.Generator) -> Tensor:
    """An affine warp, then every pixel a little aside. c: amplitude, smoothness, affine, of size.

    The corners of a square of a third of the image move by up to `affine`; displacements are
    uniform noise that is smoothed by a Gaussian and enlarged by `amplitude`.
    """
    size = x.shape[-1]
    amplitude, smoothness, affine = (size * part for part in c)
    grid = torch.stack(torch.meshgrid(*[torch.arange(float(size))] * 2, indexing="ij")[::-1], -1)
    centre, third = size // 2, size // 3
    offsets = torch.tensor([[third, third], [third, -third], [-third, -third]])
    before = (centre + offsets).float().expand(len(x), 3, 2)
    moved = before + affine * (2 * torch.rand(before.shape, generator=draws) - 1)
    # Where each pixel comes from: the affine map that takes the moved points back.
    back = torch.linalg.solve(F.pad(moved, (0, 1), value=1.0), before)
    warped = _sampled(x, F.pad(grid, (0, 1), value=1.0) @ back[:, None], edge_twice=False)
    noise = 2 * torch.rand((len(x), 2, size, size), generator=draws) - 1
    smooth = _smoothing(size, smoothness)
    aside = amplitude * (smooth @ noise @ smooth.T).permute(0, 2, 3, 1)
    return _sampled(warped, grid + aside, edge_twice=True)


def _sampled(x: Tensor, places: Tensor, edge_twice: bool) -> Tensor:
    """x at places (n, size, size, 2), in pixels across and down; bilinear, mirrored outside.

    edge_twice: whether the mirror repeats the pixel at the edge.
    """
    size = x.shape[-1]
    unit = (2 * places + 1) / size - 1 if edge_twice else 2 * places / (size - 1) - 1
    return F.grid_sample(x, unit, padding_mode="reflection", align_corners=not edge_twice)


def _smoothing(size: int, sigma: float) -> Tensor:
    """(size, size): the matrix that smooths a column by a Gaussian, mirrored at its ends."""
    if sigma == 0:
        return torch.eye(size)
    half = int(_TRUNCATE * sigma + 0.5)
    away = torch.arange(-half, half + 1)
    weights = torch.exp(-(away.float() ** 2) / (2 * sigma**2))
    places = (torch.arange(size)[:, None] + away).remainder(2 * size)
    mirrored = torch.where(places < size, places, 2 * size - 1 - places)
    return torch.zeros(size, size).scatter_add_(
        1, mirrored, (weights / weights.sum()).expand(size, -1)
    )
