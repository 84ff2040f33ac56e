"""PSNR and SSIM against their definitions, window by window."""

import math

import pytest
import torch
from torch import Tensor

from simulations.benchmarks.leaks.quality import psnr, ssim


def pair(seed: int, noise: float) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    picture = torch.rand(3, 14, 13, generator=draw)
    return picture, (picture + noise * torch.randn(3, 14, 13, generator=draw)).clamp(0, 1)


def plain_ssim(x: Tensor, y: Tensor) -> float:
    """Wang et al. (IEEE TIP 2004), equations 13 to 16, in loops."""
    line = [math.exp(-((i - 5) ** 2) / (2 * 1.5**2)) for i in range(11)]
    weights = [[a * b / sum(line) ** 2 for b in line] for a in line]
    found = []
    for c in range(x.shape[0]):
        for top in range(x.shape[1] - 10):
            for left in range(x.shape[2] - 10):
                cells = [
                    (weights[i][j], float(x[c, top + i, left + j]), float(y[c, top + i, left + j]))
                    for i in range(11)
                    for j in range(11)
                ]
                mx, my = sum(w * a for w, a, _ in cells), sum(w * b for w, _, b in cells)
                vx = sum(w * (a - mx) ** 2 for w, a, _ in cells)
                vy = sum(w * (b - my) ** 2 for w, _, b in cells)
                cov = sum(w * (a - mx) * (b - my) for w, a, b in cells)
                found.append(
                    (2 * mx * my + 1e-4)
                    * (2 * cov + 9e-4)
                    / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4))
                )
    return sum(found) / len(found)


@pytest.mark.parametrize("noise", [0.02, 0.3])
def test_ssim_is_that_of_the_paper(noise: float) -> None:
    assert ssim(*pair(0, noise)) == pytest.approx(plain_ssim(*pair(0, noise)), abs=1e-9)


def test_equal_pictures() -> None:
    picture, _ = pair(1, 0.0)
    assert ssim(picture, picture) == pytest.approx(1)
    assert psnr(picture, picture) == math.inf


def test_psnr_of_a_known_error() -> None:
    assert psnr(torch.zeros(3, 4, 4), torch.full((3, 4, 4), 0.1)) == pytest.approx(20, abs=1e-5)
