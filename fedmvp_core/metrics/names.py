"""What splits are measured in, for those who only read the numbers."""

from collections.abc import Mapping

ACCURACY, MAP = "accuracy", "map"

# split -> metric -> value
Measured = dict[str, dict[str, float]]


def headline(multi_label: bool) -> str:
    """The metric that a split is known by."""
    return MAP if multi_label else ACCURACY


def of_metric(measured: Mapping[str, Mapping[str, float]], metric: str) -> dict[str, float]:
    """Split -> value, for the splits that have the metric."""
    return {split: values[metric] for split, values in measured.items() if metric in values}
