"""A wrong class's name on every picture, larger with the severity, the same for the same draws."""

import torch

from fedmvp_core.data import typographic
from fedmvp_core.data.typographic import misnamed

NAMES = ("cat", "dog", "alarm clock")


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_no_picture_is_given_its_own_name(monkeypatch) -> None:
    written: list[str] = []

    def noted(image, name, width, place):
        written.append(name)
        return image

    monkeypatch.setattr(typographic, "_written", noted)
    labels = torch.arange(3).repeat(40)
    misnamed(torch.zeros((120, 3, 8, 8), dtype=torch.uint8), labels, NAMES, 1, draws())
    assert all(name != NAMES[label] for name, label in zip(written, labels.tolist(), strict=True))
    assert set(written) == set(NAMES)


def test_a_name_is_white_with_a_black_rim_and_grows_with_the_severity() -> None:
    grey = torch.full((6, 3, 64, 64), 120, dtype=torch.uint8)
    labels = torch.arange(6) % 3
    changed = [misnamed(grey, labels, NAMES, severity, draws()) != grey for severity in (1, 3, 5)]
    shares = [part.any(dim=1).float().mean().item() for part in changed]
    assert 0.01 < shares[0] < shares[1] < shares[2] < 0.5
    found = misnamed(grey, labels, NAMES, 5, draws())
    assert found.dtype == torch.uint8
    assert found.amax(dim=(1, 2, 3)).tolist() == [255] * 6
    assert found.amin(dim=(1, 2, 3)).tolist() == [0] * 6
    widths = changed[2].any(dim=1).any(dim=1).sum(dim=1)  # columns that were written on
    assert widths.max() <= 0.95 * 64


def test_the_same_draws_write_the_same() -> None:
    images = torch.zeros((3, 3, 32, 32), dtype=torch.uint8)
    first, second = (misnamed(images, torch.arange(3), NAMES, 3, draws(5)) for _ in "ab")
    assert torch.equal(first, second)
