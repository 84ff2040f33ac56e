"""Paired turns: A B A B ..., so that what else the machine does falls on both sides alike."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Side = Callable[[], Any]


@dataclass(frozen=True)
class Spread:
    """Median and quartiles of some numbers."""

    median: float
    low: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    """Of one number or more; of fewer than three the quartiles are the least and the most."""
    if len(values) < 3:
        return Spread(statistics.median(values), min(values), max(values))
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(median, low, high)


def take_turns(
    sides: Mapping[str, Side], turns: int, settle: Callable[[], None] = lambda: None
) -> dict[str, list[float]]:
    """Seconds of each side, by name, one number a turn; a turn before them warms up.

    Every other turn goes through the sides backwards, so that none always follows the same other.
    settle: waits for what a device still has to do.
    """
    for side in sides.values():
        side()
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    names = list(sides)
    for turn in range(turns):
        for name in names if turn % 2 == 0 else reversed(names):
            settle()
            began = time.perf_counter()
            sides[name]()
            settle()
            seconds[name].append(time.perf_counter() - began)
    return seconds


def ratios(values: Mapping[str, Sequence[float]], base: str) -> dict[str, Spread]:
    """How many times the base each side is, compared within a turn; {} for a base of nothing."""
    if not all(values[base]):
        return {}
    return {
        name: spread([mine / its for mine, its in zip(own, values[base], strict=True)])
        for name, own in values.items()
        if len(own) == len(values[base])
    }
