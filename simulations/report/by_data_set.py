"""A table for federations over several data sets: what was reached on each of them."""

import math
from dataclasses import dataclass

from simulations.report.robust import Attack
from simulations.report.run_data import RunData
from simulations.report.splits import TITLES, splits_of_data_sets
from simulations.report.summary import result_of


@dataclass(frozen=True)
class DataSetCell:
    """Fractions of one split, NaN where unknown; robust: under the run's attack."""

    zero_shot: float
    tuned: float
    robust: float


@dataclass(frozen=True)
class DataSetTable:
    """titles: of the columns. rows: (data set, a cell for each column)."""

    titles: list[str]
    rows: list[tuple[str, list[DataSetCell]]]


def by_data_set(run: RunData, attack: Attack | None) -> DataSetTable | None:
    """Local, base and new of each data set at the last evaluation; None where there is one."""
    splits = splits_of_data_sets(run)
    means = [title for title in TITLES if any(title in own for own in splits.values())]
    if not means:
        return None
    return DataSetTable(
        [TITLES[mean] for mean in means],
        [
            (name, [_cell(run, attack, own.get(mean, "")) for mean in means])
            for name, own in splits.items()
        ],
    )


def _cell(run: RunData, attack: Attack | None, split: str) -> DataSetCell:
    found = result_of(run, split)
    attacked = run.series(split, attack.metric if attack else "").dropna()
    return DataSetCell(
        zero_shot=found.zero_shot if found else math.nan,
        tuned=found.tuned if found else math.nan,
        robust=float(attacked.iloc[-1]) if len(attacked) else math.nan,
    )
