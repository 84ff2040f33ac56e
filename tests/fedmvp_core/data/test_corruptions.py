import pytest
import torch
from torch.nn.functional import interpolate

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
    assert 0.05 < errors[0] < errors[2]
    # Large pixels that fit the picture's size do less harm than those that do not.
    assert name == "pixelate" or errors[0] < errors[1] < errors[2]


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
    with pytest.raises(ConfigError, match="corruption is 'fog'; allowed: gaussian-noise, "):
        corrupted(pictures(32), "fog", 1, draws())
    for severity in (0, 6):
        with pytest.raises(ConfigError, match=f"severity is {severity}; allowed: 1 to 5"):
            corrupted(pictures(32), "contrast", severity, draws())
    assert SEVERITIES == (1, 2, 3, 4, 5)
