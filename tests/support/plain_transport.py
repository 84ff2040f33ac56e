"""Optimal transport in plain Python."""

import math

from fedmvp_core.prompting.transport import ITERATIONS, THRESHOLD


def plain_plan(
    cost: list[list[float]], rows: list[float], columns: list[float], epsilon: float, partial: bool
) -> list[list[float]]:
    """One problem in plain Python, without logarithms."""
    kernel = [[math.exp(-value / epsilon) for value in row] for row in cost]
    left, right = [1.0] * len(rows), [1.0] * len(columns)
    for _ in range(ITERATIONS):
        for i, row in enumerate(kernel):
            left[i] = rows[i] / sum(k * r for k, r in zip(row, right, strict=True))
            left[i] = min(left[i], 1.0) if partial else left[i]
        before = list(right)
        for j, mass in enumerate(columns):
            right[j] = mass / sum(row[j] * scale for row, scale in zip(kernel, left, strict=True))
        moved = [abs(math.log(a / b)) for a, b in zip(right, before, strict=True)]
        if max(moved) < THRESHOLD:
            break
    return [
        [left[i] * value * right[j] for j, value in enumerate(row)] for i, row in enumerate(kernel)
    ]
