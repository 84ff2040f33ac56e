"""Where to compute."""

import pytest
import torch

from fedmvp_core.devices import choose_device, move_images
from fedmvp_core.errors import ConfigError


@pytest.mark.parametrize(
    ("configured", "available", "expected"),
    [("auto", True, "cuda"), ("auto", False, "cpu"), ("cpu", True, "cpu"), ("cuda", True, "cuda")],
)
def test_choices(
    monkeypatch: pytest.MonkeyPatch, configured: str, available: bool, expected: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
    assert choose_device(configured).type == expected


def test_cuda_that_cannot_be_seen_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="device is 'cuda' but this process sees no CUDA device"):
        choose_device("cuda")


def test_images_stay_as_they_are_on_the_cpu() -> None:
    images = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
    assert move_images(images, torch.device("cpu")) is images


def test_images_go_to_a_gpu_as_bytes_from_page_locked_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    images, locked = torch.zeros(2, 3, 4, 4, dtype=torch.uint8), torch.ones(1, dtype=torch.uint8)
    asked = []

    def to(self: torch.Tensor, *given: object, **named: object) -> torch.Tensor:
        asked.append((self is locked, given, named))
        return self

    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: locked)
    monkeypatch.setattr(torch.Tensor, "to", to)
    move_images(images, torch.device("cuda"))
    assert asked == [(True, (torch.device("cuda"),), {"non_blocking": True})]
