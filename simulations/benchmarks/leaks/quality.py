"""How alike two pictures are: PSNR, and SSIM as Wang et al. define it (IEEE TIP 2004)."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

WINDOW, SIGMA = 11, 1.5  # of the Gaussian that statistics are taken under
K1, K2 = 0.01, 0.03


def psnr(picture: Tensor, other: Tensor) -> float:
    """In dB, of pixels in [0, 1]; infinite for equal ones. Both (channels, height, width)."""
    error = float((picture.double() - other.double()).square().mean())
    return -10 * math.log10(error) if error else math.inf


def ssim(picture: Tensor, other: Tensor) -> float:
    """Mean structural similarity of pixels in [0, 1], over channels and whole windows.

    picture, other: (channels, height, width), sides of WINDOW or more.
    """
    offsets = torch.arange(WINDOW, dtype=torch.float64) - WINDOW // 2
    line = (-(offsets**2) / (2 * SIGMA**2)).exp()
    weights = torch.outer(line, line) / line.sum() ** 2

    def mean(values: Tensor) -> Tensor:
        return F.conv2d(values[:, None], weights[None, None])

    x, y = picture.double(), other.double()
    mean_x, mean_y = mean(x), mean(y)
    variances = mean(x * x) - mean_x**2 + mean(y * y) - mean_y**2
    covariance = mean(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + K1**2) / (mean_x**2 + mean_y**2 + K1**2)
    structure = (2 * covariance + K2**2) / (variances + K2**2)
    return float((luminance * structure).mean())
