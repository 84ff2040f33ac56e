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
    return torch.device("cpu" if configured == "cpu" or not available else "cuda")
