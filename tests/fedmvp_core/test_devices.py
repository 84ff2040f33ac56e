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


def test_a_gpu_computes_float32_exactly_and_in_a_fixed_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cudnn, cuda = torch.backends.cudnn, torch.backends.cuda
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(cudnn, "allow_tf32", True)
    monkeypatch.setattr(cudnn, "deterministic", False)
    cuda.enable_mem_efficient_sdp(True)
    choose_device("cpu")
    assert cudnn.allow_tf32, "what is not used is left alone"
    choose_device("cuda")
    assert not cudnn.allow_tf32
    assert cudnn.deterministic
    assert not cuda.mem_efficient_sdp_enabled()


def test_cuda_that_cannot_be_seen_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="device is 'cuda' but this process sees no CUDA device"):
        choose_device("cuda")
