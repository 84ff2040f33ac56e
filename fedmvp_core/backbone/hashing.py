"""One way to hash tensors: weights and inputs together name a cached feature."""

import hashlib
from collections.abc import Iterable

import torch
from torch import Tensor


def hash_tensors(label: str, tensors: Iterable[tuple[str, Tensor]]) -> str:
    """Hex SHA-256 over a label and each tensor's name, dtype, shape and bytes, in the given order.

    Tensors may lie on any device; one at a time is copied to the CPU.
    """
    digest = hashlib.sha256(label.encode())
    for name, tensor in tensors:
        # The header keeps (2, 3) apart from (3, 2), and one tensor's end from the next one's start.
        digest.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        digest.update(flat.view(torch.uint8).numpy().data)
    return digest.hexdigest()
