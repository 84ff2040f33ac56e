"""A line through costs measured at several sizes: what is fixed, and what each one adds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Line:
    """cost = fixed + each * number. error: the most that it is off anywhere, as a share."""

    fixed: float
    each: float
    error: float

    def __call__(self, number: float) -> float:
        """The cost of so many."""
        return self.fixed + self.each * number


def fitted(numbers: Sequence[float], costs: Sequence[float]) -> Line:
    """The line whose relative squared errors are least, neither part of it below 0.

    numbers, costs: of the same length, two or more; costs above 0.
    """
    x, y = np.asarray(numbers, dtype=float), np.asarray(costs, dtype=float)
    weights = 1 / np.maximum(y, 1e-9)
    columns = np.stack([np.ones_like(x), x], axis=1) * weights[:, None]
    both, *_ = np.linalg.lstsq(columns, y * weights, rcond=None)
    if both[0] < 0:
        both = np.array([0.0, _alone(x * weights, y * weights)])
    elif both[1] < 0:
        both = np.array([_alone(weights, y * weights), 0.0])
    off = np.abs(both[0] + both[1] * x - y) * weights
    return Line(float(both[0]), float(both[1]), float(off.max()))


def foretold(line: Line, numbers: Sequence[int]) -> dict[str, float]:
    """The line, and what it says of other numbers, by words for a record."""
    words = {"fixed": line.fixed, "a client": line.each, "off by at most": line.error}
    return {
        **{name: float(f"{value:.4g}") for name, value in words.items()},
        **{f"at {number:,}": float(f"{line(number):.4g}") for number in numbers},
    }


def _alone(column: np.ndarray, values: np.ndarray) -> float:
    return float(column @ values / (column @ column))
