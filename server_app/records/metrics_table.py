"""metrics.csv: one row for each number that a run measures, however many rounds it has."""

import csv
import shutil
from collections.abc import Sequence
from pathlib import Path

from fedmvp_core.disk import replace_file
from fedmvp_core.run_folder import METRIC_COLUMNS, MetricRow
from server_app.records.resuming import metric_rows


class MetricsTable:
    """Rows are written and forgotten, so that a server's memory does not grow with the rounds.

    The file is whole at any moment, and what was recorded together is in it together: it is
    replaced by a copy with the new rows at its end.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._unwritten: list[MetricRow] = []
        self._metrics: dict[int, set[str]] = {}  # recorded in round 0 and in the latest

    def record(self, round: int, split: str, metric: str, value: float) -> None:
        """Add one row, which `write` puts on disk."""
        self._unwritten.append((round, split, metric, float(value)))
        self._metrics.setdefault(round, set()).add(metric)

    def holds(self, round: int, metric: str) -> bool:
        """Whether a metric was recorded in round 0 or the latest, by an earlier process too."""
        return metric in self._metrics.get(round, ())

    def write(self) -> None:
        """Put what was recorded since the last call on disk."""

        def write(longer: Path) -> None:
            if self._path.exists():
                shutil.copyfile(self._path, longer)
            else:
                _append(longer, [METRIC_COLUMNS])
            _append(longer, self._unwritten)

        replace_file(self._path, write)
        self._unwritten.clear()
        kept = {0, max(self._metrics, default=0)}
        self._metrics = {r: metrics for r, metrics in self._metrics.items() if r in kept}

    def take_up(self, last: int) -> None:
        """Go on with the file of an earlier process, without its rows of rounds after `last`.

        Raises:
            CheckpointError: the file is missing or damaged.
        """
        rows = metric_rows(self._path, last)
        replace_file(self._path, lambda path: _append(path, [METRIC_COLUMNS, *rows]))
        self._metrics = {round: {row[2] for row in rows if row[0] == round} for round in (0, last)}


def _append(path: Path, rows: Sequence[Sequence[object]]) -> None:
    with path.open("a", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
