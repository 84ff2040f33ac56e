import math

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch.nn.functional import interpolate

from fedmvp_core.data import warps
from fedmvp_core.data.corruptions import CORRUPTIONS, SEVERITIES, corrupted
from fedmvp_core.errors import ConfigError


def pictures(size: int) -> torch.Tensor:
    """Two pictures with detail of every size, as photographs have."""
    draw = torch.Generator().manual_seed(1)
    layers = [
        interpolate(torch.rand((2, 3, cells, cells), generator=draw), (size, size), mode="bilinear")
        for cells in (5, 11, 23, 31)
    ]
    return (255 * torch.stack(layers).mean(dim=0)).to(torch.uint8)


def draws() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def error(images: torch.Tensor, name: str, severity: int) -> float:
    found = corrupted(images, name, severity, draws())
    assert found.shape == images.shape
    assert found.dtype == torch.uint8
    return (found.float() - images.float()).square().mean().item()


@pytest.mark.parametrize("size", [32, 64, 224])
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_higher_severity_changes_more(size, name):
    images = pictures(size)
    errors = [error(images, name, severity) for severity in (1, 3, 5)]
    assert errors[0] > 0.05
    if name == "elastic":  # its published severities differ in kind: large warps, then fine ones
        return
    assert errors[0] < errors[2]
    # Large pixels that fit the picture's size do less harm than those that do not; glass alternates
    # between wider blurs and more passes.
    assert name in ("pixelate", "glass-blur") or errors[0] < errors[1] < errors[2]


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_the_same_draws_make_the_same_images(name):
    first, second = (corrupted(pictures(64), name, 3, draws()) for _ in "ab")
    assert torch.equal(first, second)


def test_definitions_at_known_pixels():
    grey = torch.full((1, 3, 64, 64), 100, dtype=torch.uint8)
    assert corrupted(grey, "brightness", 1, draws()).unique().tolist() == [125]
    black = torch.zeros_like(grey)
    assert corrupted(black, "brightness", 2, draws()).unique().tolist() == [51]
    for name in ("contrast", "defocus-blur", "motion-blur", "pixelate"):
        assert (corrupted(grey, name, 5, draws()).int() - 100).abs().max() <= 1
    hit = corrupted(grey, "impulse-noise", 5, draws())
    assert set(hit.unique().tolist()) == {0, 100, 255}
    assert (hit != 100).float().mean() == pytest.approx(0.14, abs=0.02)
    noise = corrupted(grey, "gaussian-noise", 1, draws()).float() / 255
    assert noise.std() == pytest.approx(0.04, abs=0.002)
    shot = corrupted(grey, "shot-noise", 5, draws()).float() / 255
    assert shot.std() == pytest.approx((100 / 255 / 15) ** 0.5, abs=0.01)


def test_unknown_names_and_severities_are_refused():
    with pytest.raises(ConfigError, match="corruption is 'frost'; allowed: gaussian-noise, "):
        corrupted(pictures(32), "frost", 1, draws())
    for severity in (0, 6):
        with pytest.raises(ConfigError, match=f"severity is {severity}; allowed: 1 to 5"):
            corrupted(pictures(32), "contrast", severity, draws())
    assert SEVERITIES == (1, 2, 3, 4, 5)


def test_smoothing_is_scipys():
    noise = torch.rand(20, 20, generator=draws())
    for sigma in (0.5, 3.0, 14.0):
        matrix = warps._smoothing(20, sigma)
        plain = ndimage.gaussian_filter(noise.numpy(), sigma, mode="reflect", truncate=3)
        np.testing.assert_allclose((matrix @ noise @ matrix.T).numpy(), plain, atol=1e-5)


def test_the_blur_of_glass_is_scikit_images():
    noise = torch.rand(1, 1, 20, 20, generator=draws())
    for sigma in (0.05, 0.7, 1.5):
        plain = ndimage.gaussian_filter(noise[0, 0].numpy(), sigma, mode="nearest", truncate=4)
        np.testing.assert_allclose(warps._gaussian(noise, sigma)[0, 0].numpy(), plain, atol=1e-5)


def test_glass_copies_neighbours_one_pixel_after_the_other():
    image = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(3))
    found = warps.glass_blur(image, (0.05, 2, 2), draws())[0]  # too narrow a Gaussian to blur
    pixels, draw = (image[0] * 255).to(torch.uint8).numpy(), draws()
    for _ in range(2):
        moves = torch.randint(-2, 2, (16, 16, 2, 1), generator=draw).numpy()
        for row in range(14, 2, -1):
            for column in range(14, 2, -1):
                down, right = moves[row - 1, column - 1, :, 0]
                pixels[:, row, column] = pixels[:, row + down, column + right]
    np.testing.assert_allclose(found.numpy(), pixels / 255, atol=1e-6)


def test_elastic_is_an_affine_warp_and_then_displacements():
    """Against SciPy, one image, the draws made in the same order."""
    size, c = 24, (0.5, 0.1, 0.05)
    image = torch.rand(1, 1, size, size, generator=torch.Generator().manual_seed(3))
    found = warps.elastic(image, c, draws())[0, 0].numpy()
    draw = draws()
    square = np.array([[20, 20], [20, 4], [4, 4]], dtype=float)  # (x, y): 12 plus and minus 8
    moved = square + 0.05 * size * (2 * torch.rand((1, 3, 2), generator=draw)[0].numpy() - 1)
    back = np.linalg.solve(np.column_stack([moved, np.ones(3)]), square)
    ys, xs = np.mgrid[0:size, 0:size].astype(float)
    source = np.stack([xs, ys, np.ones_like(xs)], axis=-1) @ back
    places = [source[..., 1], source[..., 0]]
    warped = ndimage.map_coordinates(image[0, 0].numpy(), places, order=1, mode="mirror")
    noise = 2 * torch.rand((1, 2, size, size), generator=draw)[0].numpy() - 1
    sigma = 0.1 * size
    dx, dy = (
        0.5 * size * ndimage.gaussian_filter(n, sigma, mode="reflect", truncate=3) for n in noise
    )
    plain = ndimage.map_coordinates(warped, [ys + dy, xs + dx], order=1, mode="reflect")
    np.testing.assert_allclose(found, plain, atol=2e-4)


def test_a_zoom_is_the_mean_of_zoomed_centres():
    image = torch.rand(1, 3, 30, 30, generator=draws())
    found = warps.zoom_blur(image, (1.25, 0.1), draws())  # zooms 1.0 and 1.1
    inner = math.ceil(30 / 1.1)
    assert inner == 28
    zoomed = interpolate(image[..., 1:29, 1:29], (30, 30), mode="bilinear", align_corners=True)
    torch.testing.assert_close(found, (image + image + zoomed) / 3)


def test_fog_brightens_dark_images_and_keeps_their_brightest():
    dark = torch.full((2, 3, 40, 40), 0.2)
    found = warps.fog(dark, (1.0, 2.0), draws())
    cloud = warps.clouds(2, 40, 2.0, draws())
    assert cloud.shape == (2, 40, 40)
    assert 0 <= cloud.amin() < cloud.amax() <= 1
    torch.testing.assert_close(found, (dark + cloud[:, None]) * 0.2 / 1.2)
    rough, smooth = (warps.clouds(8, 64, decay, draws()) for decay in (1.3, 3.0))
    steps = [(c[:, :, 1:] - c[:, :, :-1]).abs().mean() for c in (rough, smooth)]
    assert steps[0] > 2 * steps[1]  # slow decay leaves fine waves


def test_snow_falls_on_a_paler_image():
    """Against plain loops: flakes above the threshold, dragged along a line, and turned round."""
    size, c = 16, (0.3, 0.3, 1, 0.6, 2, 1.5, 0.75)
    image = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(3))
    found = warps.snow(image, c, draws())[0].numpy()
    draw = draws()
    noise = 0.3 + 0.3 * torch.randn((1, 1, size, size), generator=draw)[0, 0].numpy()
    angle = math.pi / 2 + math.pi / 4 * (2 * torch.rand(1, generator=draw).item() - 1)
    flakes = np.where(noise < 0.6, 0, noise).clip(0, 1)
    weights = np.exp(-(np.arange(5) ** 2) / (2 * 1.5**2))
    falling = np.zeros((size, size))
    for row in range(size):
        for column in range(size):
            for step, weight in enumerate(weights / weights.sum()):
                down, right = round(step * math.sin(angle)), round(step * math.cos(angle))
                place = min(row + down, size - 1), min(max(column + right, 0), size - 1)
                falling[row, column] += weight * flakes[place]
    red, green, blue = image[0].numpy()
    grey = 0.2989 * red + 0.587 * green + 0.114 * blue
    pale = np.maximum(image[0].numpy(), 1.5 * grey + 0.5)
    plain = 0.75 * image[0].numpy() + 0.25 * pale + falling + falling[::-1, ::-1]
    np.testing.assert_allclose(found, plain, atol=1e-5)
    assert 0.05 < (flakes > 0).mean() < 0.5
