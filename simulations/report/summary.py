"""The numbers at the top of the report, and the sentence about them."""

import math
from dataclasses import dataclass

import pandas as pd

from fedmvp_core.metrics.names import ACCURACY
from simulations.report.run_data import RunData
from simulations.report.splits import TITLES, client_splits, evaluated_splits, meanings

# Closer than this many points counts as equal: one decimal is shown.
EQUAL = 0.05


@dataclass(frozen=True)
class Result:
    """Headline of one split at the last evaluation; zero_shot is NaN where unknown.

    images: 0 where unknown, or where the headline is no share of images (mAP). meaning: what the
    split tells, in words.
    """

    split: str
    round: int
    tuned: float
    zero_shot: float
    images: int
    meaning: str = ""

    @property
    def title(self) -> str:
        return TITLES.get(self.split, self.split)

    @property
    def change(self) -> float:
        """Points (hundredths) above zero-shot."""
        return 100 * (self.tuned - self.zero_shot)

    @property
    def trend(self) -> str:
        if math.isnan(self.change):
            return "unknown"
        return "equal" if abs(self.change) < EQUAL else "above" if self.change > 0 else "below"

    @property
    def margin(self) -> float:
        """Half the 95 % interval of `tuned` in points, from the number of pictures."""
        if not self.images:
            return math.nan
        return 196 * math.sqrt(max(self.tuned * (1 - self.tuned), 0) / self.images)


def zero_shot(run: RunData, split: str) -> float:
    """Headline of the frozen model with the plain template, or NaN."""
    values = run.series(split, f"zero-shot-{run.headline}").dropna()
    return float(values.iloc[0]) if len(values) else math.nan


def results(run: RunData) -> list[Result]:
    """One result a split, the harmonic mean first."""
    found = (result_of(run, split) for split in evaluated_splits(run))
    return [result for result in found if result is not None]


def result_of(run: RunData, split: str) -> Result | None:
    """The last of one split, or None if it was not evaluated."""
    series = run.series(split, run.headline).dropna()
    if not len(series):
        return None
    own = (
        run.classes[run.classes["split"] == split] if run.headline == ACCURACY else run.classes[:0]
    )
    return Result(
        split=split,
        round=int(series.index[-1]),
        tuned=float(series.iloc[-1]),
        zero_shot=zero_shot(run, split),
        images=int(own["images"].sum()),
        meaning=meanings(run).get(split, ""),
    )


def verdict(found: list[Result], measure: str = ACCURACY) -> str:
    """One sentence that says whether tuning helped; measure: the headline in words."""
    if not found:
        return "This run has not been evaluated yet."
    lead = found[-1] if found[-1].split == "target" else found[0]
    when = f"after round {lead.round}" if lead.round else "before any training"
    sentence = f"{lead.title} {measure} {when} is {100 * lead.tuned:.1f} %"
    if lead.trend == "unknown":
        return sentence + "."
    if lead.trend == "equal":
        return f"{sentence}, the same as the frozen model without any tuning."
    return (
        f"{sentence}: {abs(lead.change):.1f} points {lead.trend} the frozen model without any "
        f"tuning ({100 * lead.zero_shot:.1f} %)."
    )


@dataclass(frozen=True)
class ClientRow:
    """A client's shard, and its accuracy on its own classes as fractions (NaN where unknown)."""

    name: str
    pictures: int
    classes: int
    zero_shot: float
    tuned: float


def client_rows(run: RunData) -> list[ClientRow]:
    """One row a client, in the order of partition ids."""
    shards = {shard.partition_id: shard for shard in run.shards}
    measured = {int(split.removeprefix("client-")): split for split in client_splits(run)}
    rows = []
    for index in sorted(shards | measured):
        split = measured.get(index, f"client-{index:03d}")
        series = run.series(split, run.headline).dropna()
        tuned = float(series.iloc[-1]) if len(series) else math.nan
        shard = shards.get(index)
        pictures, classes = (shard.num_examples, len(shard.classes)) if shard else (0, 0)
        rows.append(ClientRow(f"client {index}", pictures, classes, zero_shot(run, split), tuned))
    return rows


def totals(run: RunData) -> dict[str, float]:
    """Sums over the rounds so far; a key is absent where nothing was measured."""
    found = {}
    for metric in ("bytes-up", "bytes-down", "seconds", "failed-clients"):
        values = run.series("train", metric).dropna()
        if len(values):
            found[metric] = float(values.sum())
    return found


def later_phase_clients(run: RunData) -> "pd.Series[float]":
    """Clients that have left the method's first phase, by round."""
    later = run.metrics["metric"].isin(["phase", "lora-phase"])  # as version 0.1 called it
    rows = run.metrics[later & run.metrics["split"].str.startswith("client-")]
    return (rows["value"] > 0).groupby(rows["round"]).sum().astype(float).sort_index()
