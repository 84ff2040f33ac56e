"""Kullback-Leibler divergence between the class distributions of two sets of scores."""

from torch import Tensor
from torch.nn import functional as F


def divergence(target: Tensor, logits: Tensor) -> Tensor:
    """KL(softmax(target) || softmax(logits)) of each image; gradients flow into both.

    target, logits: (batch, classes). Returns: (batch,), 0 or more.
    """
    expected, found = target.log_softmax(dim=-1), logits.log_softmax(dim=-1)
    return F.kl_div(found, expected, reduction="none", log_target=True).sum(dim=-1)
