"""A hash tells apart everything that changes a feature."""

import torch

from fedmvp_core.backbone.hashing import hash_tensors


def test_hash_depends_on_label_name_type_shape_and_bytes() -> None:
    base = torch.arange(6.0).reshape(2, 3)
    hashes = [
        hash_tensors("l", [("a", base)]),
        hash_tensors("m", [("a", base)]),
        hash_tensors("l", [("b", base)]),
        hash_tensors("l", [("a", base.reshape(3, 2))]),
        hash_tensors("l", [("a", base + 1)]),
        hash_tensors("l", [("a", base.view(torch.int32))]),
        hash_tensors("l", [("a", base), ("b", base)]),
    ]
    assert len(set(hashes)) == len(hashes)


def test_hash_reads_values_not_layout() -> None:
    base = torch.arange(6).reshape(2, 3)
    turned = base.T.contiguous().T  # same values, other strides
    assert hash_tensors("", [("a", base)]) == hash_tensors("", [("a", turned)])
    assert hash_tensors("", [("scalar", torch.tensor(1.0, dtype=torch.bfloat16))])
