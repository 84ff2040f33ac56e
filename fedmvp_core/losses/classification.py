"""What every objective is made of, for images with one label and for images with several.

The two forms differ in nothing else: cross-entropy becomes `multi-label-loss`, and the divergence
of two softmaxes the sum over labels of the divergences of two Bernoullis.
"""

from torch import Tensor
from torch.nn import functional as F

from fedmvp_core.losses.multi_label import (
    asymmetric_loss,
    binary_cross_entropy,
    label_divergence,
    softmax_loss,
)

MULTI_LABEL_LOSSES = {"asl": asymmetric_loss, "bce": binary_cross_entropy, "softmax": softmax_loss}


def classification_loss(logits: Tensor, labels: Tensor, multi_label_loss: str) -> Tensor:
    """Cross-entropy, or the named multi-label loss, averaged over the images: a scalar.

    logits: (batch, classes). labels: (batch,) int64, or (batch, classes) of 1, 0 and -1 (unknown).
    """
    if labels.ndim == 2:
        return MULTI_LABEL_LOSSES[multi_label_loss](logits, labels).mean()
    return F.cross_entropy(logits, labels)


def divergence(target: Tensor, logits: Tensor, multi_label: bool) -> Tensor:
    """KL(p_target || p) of each image; gradients flow into both.

    target, logits: (batch, classes), whose softmax (multi_label: sigmoid) p is. Returns: (batch,),
    0 or more.
    """
    if multi_label:
        return label_divergence(target, logits)
    expected, found = target.log_softmax(dim=-1), logits.log_softmax(dim=-1)
    return F.kl_div(found, expected, reduction="none", log_target=True).sum(dim=-1)


def log_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """-log p(y | x) of each image; several labels: its mean over those that are known.

    logits, labels: as for `classification_loss`. Returns: (batch,), 0 without a known label.
    """
    if labels.ndim == 2:
        known = (labels >= 0).sum(dim=-1).clamp(min=1)
        return binary_cross_entropy(logits, labels) / known
    return cross_entropy(logits, labels)


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """-log p(y | x) of each image; several labels: its sum over those that are known: (batch,)."""
    if labels.ndim == 2:
        return binary_cross_entropy(logits, labels)
    return F.cross_entropy(logits, labels, reduction="none")
