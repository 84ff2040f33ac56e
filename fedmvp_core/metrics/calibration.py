"""Expected calibration error: how far confidence is from the share of hits (Guo et al., ICML 2017).

Predictions are put into bins of equal width by confidence; the error is the mean over predictions
of |share of hits - mean confidence| of their bin. 0 is perfect, 1 the worst.
"""

import torch
from torch import Tensor

from fedmvp_core.errors import DataError

BINS = 15


def calibration_error(probabilities: Tensor, labels: Tensor, bins: int = BINS) -> float:
    """Of the predicted class of each image.

    probabilities: (images, classes), rows of sum 1. labels: (images,) int64.

    Raises:
        DataError: probabilities outside [0, 1], shapes that do not match, or no images.
    """
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1]:
        raise DataError(
            f"probabilities are {tuple(probabilities.shape)} and labels {tuple(labels.shape)}; "
            "expected (images, classes) and (images,)"
        )
    confidence, predicted = probabilities.max(dim=1)
    return _error(confidence, predicted == labels, bins)


def label_calibration_error(probabilities: Tensor, labels: Tensor, bins: int = BINS) -> float:
    """Of every known pair of an image and a label: is a label at 0.3 there in 30 % of the cases?

    probabilities: (images, classes), each its own. labels: the same shape; 1, 0, or -1 for unknown.

    Raises:
        DataError: probabilities outside [0, 1], shapes that differ, or no known label.
    """
    if probabilities.shape != labels.shape:
        raise DataError(
            f"probabilities are {tuple(probabilities.shape)} and labels {tuple(labels.shape)}; "
            "expected the same shape"
        )
    known = labels >= 0
    return _error(probabilities[known], labels[known] == 1, bins)


def _error(confidence: Tensor, hits: Tensor, bins: int) -> float:
    """confidence: (n,) in [0, 1]. hits: (n,) bool."""
    confidence = confidence.double().cpu()
    if not len(confidence):
        raise DataError("calibration error of no predictions")
    if not ((confidence >= 0) & (confidence <= 1)).all():
        raise DataError(
            f"probabilities go from {float(confidence.min()):g} to {float(confidence.max()):g}; "
            "allowed: 0 to 1"
        )
    # Bins are (lower, upper], the first one with 0.
    bin_of = (confidence * bins).ceil().long().clamp(min=1) - 1
    surplus = torch.zeros(bins, dtype=torch.float64)
    surplus.index_add_(0, bin_of, hits.cpu().double() - confidence)
    return float(surplus.abs().sum() / len(confidence))
