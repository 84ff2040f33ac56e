"""Where to compute."""

import torch

from fedmvp_core.errors import ConfigError


def choose_device(configured: str) -> torch.device:
    """auto: the CUDA device that this process may see (Ray hides the others), else the CPU.

    Raises:
        ConfigError: "cuda" was asked for and none can be seen.
    """
    available = torch.cuda.is_available()
    if configured == "cuda" and not available:
        raise ConfigError(
            "device is 'cuda' but this process sees no CUDA device; give clients a share of a GPU "
            "(fedmvp run --clients-per-gpu), or set device to 'cpu'"
        )
    if configured == "cpu" or not available:
        return torch.device("cpu")
    _exact_and_repeatable()
    return torch.device("cuda")


def _exact_and_repeatable() -> None:
    """Float32 means float32, and the same run ends with the same bits.

    By default cuDNN rounds the inputs of convolutions and may choose kernels that add up in any
    order, and so does the backward of the one fused attention that takes float32.
    """
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.deterministic = True
    torch.backends.cuda.enable_mem_efficient_sdp(False)
