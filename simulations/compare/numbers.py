"""The last numbers of several runs side by side: clean, under attack, zero-shot, and the cost."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fedmvp_core.metrics.names import ACCURACY, MAP
from simulations.attack.names import attack_of_metric
from simulations.report.figures import bytes_text
from simulations.report.page import duration
from simulations.report.run_data import WORDS, RunData
from simulations.report.splits import TITLES, central_splits
from simulations.report.summary import totals

ZERO_SHOT = "zero-shot-"


@dataclass(frozen=True)
class NumberRow:
    """One metric of one split: its last value in each run, a fraction, or NaN where it has none."""

    split: str
    metric: str
    values: list[float]

    @property
    def title(self) -> str:
        """The split in words."""
        return TITLES.get(self.split, self.split)

    @property
    def words(self) -> str:
        """The metric in words."""
        return metric_words(self.metric)

    def change(self, index: int) -> float:
        """Points above the first run."""
        return 100 * (self.values[index] - self.values[0])


def number_rows(runs: Sequence[RunData]) -> list[NumberRow]:
    """Split by split: clean, zero-shot, under each attack, zero-shot under it."""
    splits = splits_of(runs)
    metrics = metrics_of(runs)
    rows = [
        NumberRow(split, metric, [_last(run, split, metric) for run in runs])
        for split in splits
        for metric in metrics
    ]
    return [row for row in rows if not all(math.isnan(value) for value in row.values)]


def splits_of(runs: Sequence[RunData]) -> list[str]:
    """The central splits of all runs, the well-known ones first."""
    found = dict.fromkeys(split for run in runs for split in central_splits(run))
    return [s for s in TITLES if s in found] + [s for s in found if s not in TITLES]


def metrics_of(runs: Sequence[RunData]) -> list[str]:
    """What splits are known by, then what attacks left of it; each before its zero-shot one."""
    own = [run.headline for run in runs]
    attacked = [m for run in runs for m in run.metrics["metric"].unique() if attack_of_metric(m)]
    tuned = dict.fromkeys(m for m in [*own, *attacked] if not m.startswith(ZERO_SHOT))
    return [name for metric in tuned for name in (metric, ZERO_SHOT + metric)]


def metric_words(metric: str) -> str:
    """`zero-shot-robust-map[fgsm-1 eps=0.1]` -> `mAP under FGSM, 1 step, ε = 0.1, zero-shot`."""
    plain = metric.removeprefix(ZERO_SHOT)
    attack = attack_of_metric(plain)
    measure = WORDS[MAP if plain in (MAP, attack and attack.metric(MAP)) else ACCURACY]
    words = f"{measure} under {attack.spoken}" if attack else measure
    return words if plain == metric else f"{words}, zero-shot"


def _last(run: RunData, split: str, metric: str) -> float:
    values = run.series(split, metric).dropna()
    return float(values.iloc[-1]) if len(values) else math.nan


def cost_rows(runs: Sequence[RunData]) -> list[tuple[str, list[str]]]:
    """How far each run came and what it took, in words."""
    summed = [totals(run) for run in runs]
    rows = {
        "status": [str(run.status.get("status", "unknown")) for run in runs],
        "rounds": [
            f"{run.status.get('rounds-completed', '?')} of {run.config.get('rounds', '?')}"
            for run in runs
        ],
        "train loss": [_loss(run) for run in runs],
        "sent up": [_total(of_run, "bytes-up", bytes_text) for of_run in summed],
        "sent down": [_total(of_run, "bytes-down", bytes_text) for of_run in summed],
        "time of the rounds": [_total(of_run, "seconds", duration) for of_run in summed],
    }
    return list(rows.items())


def _loss(run: RunData) -> str:
    value = _last(run, "train", "loss")
    return "–" if math.isnan(value) else f"{value:.4f}"


def _total(summed: dict[str, float], key: str, shown: Callable[[float], str]) -> str:
    return shown(summed[key]) if key in summed else "–"
