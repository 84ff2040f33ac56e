"""Where to compute."""

import pytest
import torch

from fedmvp_core.devices import choose_device
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
