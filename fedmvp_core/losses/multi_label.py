"""Losses and divergences of images with several labels, each label a yes or no of its own.

logits: (batch, classes); a label is there with probability sigmoid(logit), so the threshold 0.5 is
logit 0. labels: (batch, classes) of 1, 0 and -1; -1 is unknown and has neither loss nor gradient.
Every function returns (batch,). All but `softmax_loss` are sums over labels, which are the
log-likelihoods and divergences of the whole set of labels.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

# Keeps the derivative of x ** gamma finite where x is 0 and gamma below 1; far under any loss.
_SMALLEST = 1e-12


def binary_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """-sum over known labels of log p(label)."""
    target = labels.clamp(min=0).to(logits.dtype)
    each = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return _sum_of_known(each, labels)


def asymmetric_loss(
    logits: Tensor,
    labels: Tensor,
    gamma_negative: float = 2.0,
    gamma_positive: float = 1.0,
    clip: float = 0.05,
) -> Tensor:
    """ASL (Ridnik et al., ICCV 2021, equations 4 to 7), with DualCoOp's numbers as defaults.

    present: -(1 - p)^gamma_positive log p. absent: -q^gamma_negative log(1 - q), q = max(p - clip,
    0): easy negatives, of which there are many, weigh little, and below `clip` nothing. Gradients
    flow through the weights too, as in the paper. With zeros it is binary cross-entropy.
    """
    absent_probability = F.sigmoid(-logits)  # 1 - p without cancellation
    present = absent_probability.clamp(min=_SMALLEST) ** gamma_positive * F.logsigmoid(logits)
    shifted = (F.sigmoid(logits) - clip).clamp(min=_SMALLEST)
    log_absent = (absent_probability + clip).clamp(max=1).log() if clip else F.logsigmoid(-logits)
    absent = shifted**gamma_negative * log_absent
    return _sum_of_known(-present.where(labels == 1, absent), labels)


def softmax_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of the softmax over known labels against those that are there, in equal parts.

    As in Mahajan et al., ECCV 2018, for pictures with several hashtags. It ranks an image's labels
    and is blind to what all logits share, by which the sums over labels can fall without any label
    rising above another. 0 for an image without a label that is there.
    """
    there = labels == 1
    known = logits.masked_fill(labels < 0, torch.finfo(logits.dtype).min)
    each = -known.log_softmax(dim=-1).where(there, 0.0)
    return each.sum(dim=-1) / there.sum(dim=-1).clamp(min=1)


def label_divergence(target: Tensor, logits: Tensor) -> Tensor:
    """Sum over labels of KL(Bernoulli(target) || Bernoulli(logits)); gradients flow into both.

    The counterpart of `divergence` for several labels. It compares two predictions, so what is
    known of the labels plays no part. target, logits: (batch, classes). Returns: (batch,).
    """
    present = F.sigmoid(target) * (F.logsigmoid(target) - F.logsigmoid(logits))
    absent = F.sigmoid(-target) * (F.logsigmoid(-target) - F.logsigmoid(-logits))
    return (present + absent).sum(dim=-1)


def _sum_of_known(each: Tensor, labels: Tensor) -> Tensor:
    return each.masked_fill(labels < 0, 0.0).sum(dim=-1)
