"""Everything that is measured of a split, by the names that metrics.csv gives it.

One class an image: `accuracy`, the headline, and `calibration-error`.

Several labels an image: `map`, the headline; at the fixed threshold 0.5 `cp`, `cr`, `cf1`, `op`,
`or`, `of1`; of the three highest labels `f1@3`; `calibration-error` of the labels' probabilities;
and `classes-without-positives`, which have no part in `map`, `cp` and `cr`. With a threshold that
was chosen on validation images, `cf1[validation-threshold]` and `of1[validation-threshold]`; with
one chosen on the very images that are tested, `oracle-cf1` and `oracle-of1`, which are no results.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import torch
from torch import Tensor

from fedmvp_core.errors import DataError
from fedmvp_core.metrics.calibration import calibration_error, label_calibration_error
from fedmvp_core.metrics.multi_label import (
    average_precisions,
    best_threshold,
    mean_average_precision,
    oracle_precision_recall,
    precision_recall,
    top_k_precision_recall,
)
from fedmvp_core.metrics.names import ACCURACY, MAP

WITHOUT_POSITIVES = "classes-without-positives"
_TOP = 3
_F1 = ("cf1", "of1")


def correct(probabilities: Tensor, labels: Tensor) -> Tensor:
    """(n,) bool: is the most probable class the right one, or are all known labels as they are?

    probabilities: (n, classes). labels: (n,), or (n, classes) of 1, 0 and -1 (unknown).
    """
    if labels.ndim == 1:
        return probabilities.argmax(dim=-1) == labels
    return (((probabilities > 0.5) == (labels == 1)) | (labels < 0)).all(dim=-1)


# (probabilities: (n, classes), labels) -> metric -> value; {} for labels that it does not serve.
MetricFunction: TypeAlias = Callable[[Tensor, Tensor], Mapping[str, float]]


def measure(
    probabilities: Tensor,
    labels: Tensor,
    thresholds: Mapping[str, float] | None = None,
    more: Sequence[MetricFunction] = (),
) -> dict[str, float]:
    """Metric -> value.

    probabilities: (n, classes). labels: (n,), or (n, classes) of 1, 0 and -1 (unknown). thresholds:
    of "cf1" and "of1", from `validation_thresholds`, with several labels an image. more: metrics of
    plugins.

    Raises:
        DataError: see `calibration_error` and `mean_average_precision`; or a plugin's metric has a
            name that is taken.
    """
    found = single_label(probabilities, labels) | several_labels(probabilities, labels)
    for name, threshold in (thresholds or {}).items():
        chosen = precision_recall(probabilities, labels, threshold)
        found[f"{name}[validation-threshold]"] = getattr(chosen, name)
    for metric in more:
        values = {name: float(value) for name, value in metric(probabilities, labels).items()}
        taken = sorted(found.keys() & values.keys())
        if taken:
            raise DataError(f"a plugin measures {', '.join(taken)}, which is measured already")
        found |= values
    return found


def single_label(probabilities: Tensor, labels: Tensor) -> dict[str, float]:
    """Of images with one label: accuracy and calibration error."""
    if labels.ndim == 2:
        return {}
    hits = correct(probabilities, labels).to(torch.float64)
    error = calibration_error(probabilities, labels)
    return {ACCURACY: hits.mean().item(), "calibration-error": error}


def several_labels(probabilities: Tensor, labels: Tensor) -> dict[str, float]:
    """Of images with several labels: mAP and all that is listed above."""
    if labels.ndim == 1:
        return {}
    precision = mean_average_precision(probabilities, labels)
    fixed = precision_recall(probabilities, labels)
    top = top_k_precision_recall(probabilities, labels, min(_TOP, labels.shape[1]))
    found = {
        MAP: precision.value,
        **{name.rstrip("_"): value for name, value in fixed._asdict().items()},
        f"f1@{_TOP}": top.of1,
        "calibration-error": label_calibration_error(probabilities, labels),
        WITHOUT_POSITIVES: float(precision.left_out),
    }
    return found | oracle_precision_recall(probabilities, labels)


def validation_thresholds(probabilities: Tensor, labels: Tensor) -> dict[str, float]:
    """The best threshold for "cf1" and for "of1" on validation images, several labels an image."""
    return {name: best_threshold(probabilities, labels, name) for name in _F1}


def by_class(probabilities: Tensor, labels: Tensor) -> list[tuple[int, float]]:
    """(images, headline) of every class: its accuracy, or its average precision; 0 images, nan.

    probabilities: (n, classes). labels: (n,), or (n, classes) of 1, 0 and -1 (unknown).
    """
    classes = probabilities.shape[1]
    if labels.ndim == 2:
        values = average_precisions(probabilities, labels).tolist()
        return list(zip((labels == 1).sum(dim=0).tolist(), values, strict=True))
    hits, every = correct(probabilities, labels), torch.arange(classes)
    members = [hits[labels == label].to(torch.float64) for label in every]
    return [(len(own), own.mean().item()) for own in members]
