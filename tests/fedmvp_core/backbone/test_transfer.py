"""Images reach a GPU as bytes; on the CPU nothing is copied."""

import pytest
import torch

from fedmvp_core.backbone.transfer import move_images


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
