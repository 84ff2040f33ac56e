"""What an attack left of each split, read from a run's metrics."""

import math
import re
from dataclasses import dataclass

import pandas as pd

from fedmvp_core.metrics.names import ACCURACY
from simulations.attack.names import AttackName, attack_of_metric
from simulations.report.run_data import RunData
from simulations.report.splits import central_splits, client_splits
from simulations.report.summary import EQUAL, Result, results

ZERO_SHOT = "zero-shot-"
_ATTACKED = re.compile(r"robust-(?:accuracy|map)\[.+\]")


@dataclass(frozen=True)
class RobustResult:
    """Accuracies of one split, clean and attacked, in [0, 1]; NaN where unknown.

    robust is of round `round`, on `images` images (0: unknown, as for means over splits).
    """

    clean: Result
    round: int
    robust: float
    zero_shot: float
    images: int

    @property
    def change(self) -> float:
        """Points above the frozen model under the same attack."""
        return 100 * (self.robust - self.zero_shot)

    @property
    def trend(self) -> str:
        """unknown, equal, above or below."""
        if math.isnan(self.change):
            return "unknown"
        return "equal" if abs(self.change) < EQUAL else "above" if self.change > 0 else "below"


@dataclass(frozen=True)
class Attack:
    """The attack of a run's central evaluation.

    whole: rounds whose attack was on all images, or on as many as the last one's; most: the most of
    a split that the last one was on, 0: all. subset: images of a split that were attacked in the
    other rounds, own: of each client's classes; 0 where there was no such round. metric: the name
    of its headline in metrics.csv.
    """

    name: AttackName
    metric: str
    results: tuple[RobustResult, ...]
    whole: frozenset[int]
    most: int
    subset: int
    own: int


def run_attack(run: RunData) -> Attack | None:
    """The attack that this run was evaluated under, or None."""
    metrics = [m for m in run.metrics["metric"].unique() if _ATTACKED.fullmatch(str(m))]
    name = attack_of_metric(metrics[0]) if metrics else None
    if name is None:
        return None
    found = tuple(_result(run, name, result) for result in results(run))
    measured = tuple(result for result in found if not math.isnan(result.robust))
    whole = _whole_rounds(run)
    subset = _subset(run, central_splits(run), whole)
    own = _subset(run, client_splits(run), whole)
    most = int(run.config.get("robust-last-images", 0))
    return Attack(name, name.metric(run.headline), measured, whole, most, subset, own)


def _result(run: RunData, name: AttackName, clean: Result) -> RobustResult:
    metric = name.metric(run.headline)
    robust = run.series(clean.split, metric).dropna()
    images = run.series(clean.split, "attacked-images")
    last = int(robust.index[-1]) if len(robust) else 0
    return RobustResult(
        clean=clean,
        round=last,
        robust=float(robust.iloc[-1]) if len(robust) else math.nan,
        zero_shot=first(run.series(clean.split, ZERO_SHOT + metric)),
        images=int(images.get(last, 0)),
    )


def first(values: "pd.Series[float]") -> float:
    """The first number, or NaN."""
    known = values.dropna()
    return float(known.iloc[0]) if len(known) else math.nan


def _whole_rounds(run: RunData) -> frozenset[int]:
    """Rounds in which all images were attacked; none before the last round is done.

    The last round attacks all images, so its counts tell which other rounds did.
    """
    attacked = _counts(run, "attacked-images")
    last = run.event("start").get("rounds", run.config.get("rounds"))
    if last not in attacked.index:
        return frozenset()
    enough = (attacked >= attacked.loc[last]).all(axis=1)
    return frozenset(int(number) for number in attacked.index[enough])


def _counts(run: RunData, metric: str) -> pd.DataFrame:
    """Rounds x splits."""
    rows = run.metrics[run.metrics["metric"] == metric]
    rows = rows[~rows["split"].isin(client_splits(run))]
    return rows.pivot_table(index="round", columns="split", values="value").sort_index()


def _subset(run: RunData, splits: list[str], whole: frozenset[int]) -> int:
    """The most images of one split that were attacked in the other rounds."""
    rows = run.metrics[run.metrics["metric"] == "attacked-images"]
    rows = rows[rows["split"].isin(splits) & ~rows["round"].isin(whole)]
    return int(rows["value"].max()) if len(rows) else 0


def verdict(attack: Attack, measure: str = ACCURACY) -> str:
    """One sentence that says what the attack left, and whether tuning helped against it."""
    if not attack.results:
        return ""
    splits = {result.clean.split: result for result in attack.results}
    lead = splits.get("target") or splits.get("harmonic-mean") or attack.results[0]
    sentence = (
        f"Under attack ({attack.name.spoken}) {lead.clean.title.lower()} {measure} is "
        f"{100 * lead.robust:.1f} %"
    )
    if lead.trend == "unknown":
        return sentence + "."
    if lead.trend == "equal":
        return f"{sentence}, the same as the frozen model's under an attack of its own."
    return (
        f"{sentence}: {abs(lead.change):.1f} points {lead.trend} the frozen model under an attack "
        f"of its own ({100 * lead.zero_shot:.1f} %)."
    )


def rounds_table(run: RunData, attack: Attack) -> list[tuple[int, int, list[tuple[float, float]]]]:
    """(round, images a split, clean and robust accuracy of each split) for attacked rounds."""
    splits = [result.clean.split for result in attack.results]
    robust = {split: run.series(split, attack.metric) for split in splits}
    clean = {split: run.series(split, run.headline) for split in splits}
    counts = _counts(run, "attacked-images").max(axis=1)
    rounds = sorted({int(number) for series in robust.values() for number in series.index})
    nan = math.nan
    return [
        (
            number,
            int(counts.get(number, 0)),
            [(float(clean[s].get(number, nan)), float(robust[s].get(number, nan))) for s in splits],
        )
        for number in rounds
    ]
