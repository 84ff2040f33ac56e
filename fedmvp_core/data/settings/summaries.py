"""Headlines: one number from the values of a setting's splits, clean or under attack.

Each is a function from {split: value} to (name, value), or None when it has nothing to add.
"""

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean, harmonic_mean
from typing import TypeAlias

Headline: TypeAlias = tuple[str, float] | None
Summary: TypeAlias = Callable[[Mapping[str, float]], Headline]

HARMONIC_MEAN = "harmonic-mean"
TARGET_MEAN = "target-mean"


def no_headline(values: Mapping[str, float]) -> Headline:
    """The splits speak for themselves."""
    return None


def harmonic_mean_of(splits: Sequence[str]) -> Summary:
    """Low if any of the splits is low; None where one of them was not measured.

    FedMVP's is three-way, of local, base and new; that of generalised zero-shot learning of seen
    and unseen classes.
    """

    def summary(values: Mapping[str, float]) -> Headline:
        if not set(splits) <= set(values):
            return None
        return HARMONIC_MEAN, harmonic_mean([values[name] for name in splits])

    return summary


def mean_over_targets(splits: Sequence[str]) -> Summary:
    """The plain mean over the target splits that were measured, as in cross-dataset tables."""

    def summary(values: Mapping[str, float]) -> Headline:
        measured = [values[name] for name in splits if name in values]
        return (TARGET_MEAN, fmean(measured)) if measured else None

    return summary
