"""How well scores name the labels of images: mean average precision, CP, CR, CF1, OP, OR, OF1.

scores, probabilities: (images, classes). labels: (images, classes) of 1, 0 and -1; -1 is unknown
and counts for nothing, neither right nor wrong. A label is predicted above a threshold.

The definitions are those of the multi-label papers (ML-GCN, Chen et al., CVPR 2019):
CF1 is the harmonic mean of CP and CR, not the mean of the classes' F1.
"""

from statistics import harmonic_mean
from typing import NamedTuple

import torch
from torch import Tensor

from fedmvp_core.errors import DataError

THRESHOLD = 0.5
ORACLE_THRESHOLDS = tuple(i / 10 for i in range(1, 10))


class MeanAveragePrecision(NamedTuple):
    """value: mean over the classes that have a positive; nan when none has. classes: how many.

    left_out: classes without a positive, for which precision over recall does not exist. (Counting
    them as 0 would drag the mean down by what the test set happens to hold.)
    """

    value: float
    classes: int
    left_out: int


class PrecisionRecall(NamedTuple):
    """Precision, recall and F1, as shares.

    cp, cr: means over classes that have a positive; a class that is never predicted has precision
        0. cf1: their harmonic mean. op, or_, of1: over all pairs of an image and a label.
    """

    cp: float
    cr: float
    cf1: float
    op: float
    or_: float
    of1: float


def average_precisions(scores: Tensor, labels: Tensor) -> Tensor:
    """(classes,) float64: sum over thresholds of (R_k - R_{k-1}) P_k; nan without a positive.

    Equal scores share one threshold, so that the order of images does not matter.

    Raises:
        DataError: shapes that differ, a label other than 1, 0, -1, or a score that is no number.
    """
    _check(scores, labels)
    columns = [
        _average_precision(scores[:, c].double(), labels[:, c]) for c in range(scores.shape[1])
    ]
    return torch.stack(columns)


def _average_precision(scores: Tensor, labels: Tensor) -> Tensor:
    known = labels >= 0
    ordered, order = scores[known].sort(descending=True)
    hits = (labels[known][order] == 1).double().cumsum(0)
    if not len(hits) or hits[-1] == 0:
        return torch.tensor(float("nan"), dtype=torch.float64)
    ends = torch.ones(len(hits), dtype=torch.bool)  # the last of each run of equal scores
    ends[:-1] = (ordered[1:] != ordered[:-1]).cpu()
    positions = ends.nonzero().flatten().to(hits.device)
    found = hits[positions]
    precision = found / (positions + 1)
    gained = torch.diff(found, prepend=found.new_zeros(1)) / hits[-1]
    return (gained * precision).sum().cpu()


def mean_average_precision(scores: Tensor, labels: Tensor) -> MeanAveragePrecision:
    """mAP over the classes that have a positive; see `average_precisions`."""
    values = average_precisions(scores, labels)
    present = values[~values.isnan()]
    mean = float(present.mean()) if len(present) else float("nan")
    return MeanAveragePrecision(mean, len(present), len(values) - len(present))


def precision_recall(
    probabilities: Tensor, labels: Tensor, threshold: float = THRESHOLD
) -> PrecisionRecall:
    """CP, CR, CF1, OP, OR, OF1 where a label is predicted if its probability exceeds `threshold`.

    Raises:
        DataError: see `average_precisions`.
    """
    _check(probabilities, labels)
    return _of_predictions(probabilities > threshold, labels)


def top_k_precision_recall(scores: Tensor, labels: Tensor, k: int = 3) -> PrecisionRecall:
    """The same where the k highest known labels of each image are predicted; its of1 is F1@k.

    Among equal scores the class that comes first is taken. Zero-shot papers report F1@3.

    Raises:
        DataError: see `average_precisions`; or k is not within 1 to the number of classes.
    """
    _check(scores, labels)
    classes = scores.shape[1]
    if not 1 <= k <= classes:
        raise DataError(f"top-k: k is {k}; allowed: 1 to {classes}, the number of classes")
    known = labels >= 0
    scores = scores.masked_fill(~known, float("-inf"))
    highest = scores.argsort(dim=1, descending=True, stable=True)[:, :k]
    predicted = torch.zeros_like(known).scatter(1, highest, True)
    return _of_predictions(predicted & known, labels)


def best_threshold(
    probabilities: Tensor,
    labels: Tensor,
    measure: str = "of1",
    thresholds: tuple[float, ...] = ORACLE_THRESHOLDS,
) -> float:
    """The threshold with the highest measure (a field of PrecisionRecall), the lowest among equals.

    For validation data. On test data it would be an oracle: see `oracle_precision_recall`.
    """
    _check(probabilities, labels)
    found = [getattr(_of_predictions(probabilities > t, labels), measure) for t in thresholds]
    return thresholds[found.index(max(found))]


def oracle_precision_recall(probabilities: Tensor, labels: Tensor) -> dict[str, float]:
    """{"oracle-cf1": ..., "oracle-of1": ...}: each at its own best of nine thresholds, 0.1 to 0.9.

    The thresholds are chosen on the very data that is scored, as some published tables do: an upper
    bound for comparison with them, no result.
    """
    best: dict[str, float] = {}
    for measure in ("cf1", "of1"):
        threshold = best_threshold(probabilities, labels, measure)
        found = precision_recall(probabilities, labels, threshold)
        best[f"oracle-{measure}"] = getattr(found, measure)
    return best


def _of_predictions(predicted: Tensor, labels: Tensor) -> PrecisionRecall:
    """predicted: (images, classes) bool."""
    positive, known = labels == 1, labels >= 0
    hits = (predicted & positive).sum(dim=0).double()
    claims = (predicted & known).sum(dim=0).double()
    positives = positive.sum(dim=0).double()
    present = positives > 0
    cp = float(_ratio(hits, claims)[present].mean()) if present.any() else 0.0
    cr = float(_ratio(hits, positives)[present].mean()) if present.any() else 0.0
    op = float(_ratio(hits.sum(), claims.sum()))
    or_ = float(_ratio(hits.sum(), positives.sum()))
    return PrecisionRecall(cp, cr, harmonic_mean((cp, cr)), op, or_, harmonic_mean((op, or_)))


def _ratio(part: Tensor, whole: Tensor) -> Tensor:
    """part / whole, 0 where there is nothing."""
    return torch.where(whole > 0, part / whole.clamp(min=1), 0.0)


def _check(scores: Tensor, labels: Tensor) -> None:
    if scores.ndim != 2 or scores.shape != labels.shape:
        raise DataError(
            f"scores are {tuple(scores.shape)} and labels {tuple(labels.shape)}; expected "
            "(images, classes) for both"
        )
    strange = labels[(labels != 0) & (labels != 1) & (labels != -1)]
    if len(strange):
        raise DataError(f"a label is {strange[0].item()}; allowed: 1, 0 and -1 (unknown)")
    if scores.isnan().any():
        raise DataError("a score is not a number (nan); no ranking exists")
