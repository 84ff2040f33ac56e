"""Headlines: what the values of a setting's splits come to, clean or under attack.

Each is a function from {split: value} to {name: value}, empty when it has nothing to add.
"""

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean, harmonic_mean
from typing import TypeAlias

Summary: TypeAlias = Callable[[Mapping[str, float]], Mapping[str, float]]

LOCAL = "local"  # each client's own classes
HARMONIC_MEAN = "harmonic-mean"
TARGET_MEAN = "target-mean"


def no_headline(values: Mapping[str, float]) -> Mapping[str, float]:
    """The splits speak for themselves."""
    return {}


def harmonic_mean_of(splits: Sequence[str]) -> Summary:
    """Low if any of the splits is low; nothing where one of them was not measured.

    FedMVP's is three-way, of local, base and new; that of generalised zero-shot learning of seen
    and unseen classes.
    """

    def summary(values: Mapping[str, float]) -> Mapping[str, float]:
        if not set(splits) <= set(values):
            return {}
        return {HARMONIC_MEAN: harmonic_mean([values[name] for name in splits])}

    return summary


def mean_over_targets(splits: Sequence[str]) -> Summary:
    """The plain mean over the target splits that were measured, as in cross-dataset tables."""

    def summary(values: Mapping[str, float]) -> Mapping[str, float]:
        measured = [values[name] for name in splits if name in values]
        return {TARGET_MEAN: fmean(measured)} if measured else {}

    return summary


def of_dataset(split: str, dataset: str) -> str:
    """The name of a split of one data set among several; of a lone one ("") the split's own."""
    return f"{split}-{dataset}" if dataset else split


def mean_over_datasets(splits: Sequence[str], datasets: Sequence[str], then: Summary) -> Summary:
    """The mean of each split over the data sets, and the headlines of `then` from these means.

    So the harmonic mean of FedMVP's table of nine data sets is that of three means, not the mean of
    nine harmonic means. A split that was not measured of every data set is left out.
    """

    def summary(values: Mapping[str, float]) -> Mapping[str, float]:
        means = {}
        for split in splits:
            names = [of_dataset(split, dataset) for dataset in datasets]
            if set(names) <= set(values):
                means[split] = fmean(values[name] for name in names)
        return means | dict(then(means))

    return summary
