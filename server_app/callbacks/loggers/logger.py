"""What every experiment logger does: the rows of metrics.csv, each once, whatever breaks off.

A logger gets a row once the checkpoint of its round is on disk. A run that is resumed begins behind
that checkpoint, so what a logger got is never measured again. How many rows it got, and the id of
its run there, are kept in the run folder.
"""

import csv
import io
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from itertools import groupby, takewhile
from pathlib import Path
from typing import ClassVar

from fedmvp_core.disk import replace_text
from fedmvp_core.run_folder import LOGGERS, METRICS, MetricRow, read_object
from server_app.callbacks.callback import Callback, Event, Run

PROJECT = "fedmvp"  # where runs stand, unless the logger's own environment variable says otherwise


class ExperimentLogger(Callback, ABC):
    """A subclass opens its run, takes numbers and closes it.

    folder: for what the logger writes itself, inside the run folder; not made yet. run_name,
    settings: the run's, as config.json has them.
    """

    name: ClassVar[str]

    def __init__(self, run: Run) -> None:
        self.folder = run.folder / LOGGERS / self.name
        self.run_name, self.settings = run.config.run.run_name, run.config.as_mapping()
        self._state = run.folder / LOGGERS / f"{self.name}.json"
        self._table = NewRows(run.folder / METRICS)
        self._id, self._passed, self._checkpoint = "", 0, -1
        self._waiting: list[MetricRow] = []

    @abstractmethod
    def open(self, id: str) -> str:
        """Begin a run with its configuration, or go on with the one of this id; returns the id.

        id: "" = begin.
        """

    @abstractmethod
    def log(self, round: int, scalars: Mapping[str, float], position: int) -> None:
        """Take what was measured of a round. position: how many rows came before, ever."""

    def log_pictures(self, pictures: Mapping[str, Path], round: int, position: int) -> None:
        """Take PNG files by their names, after the run; a logger without pictures takes none.

        position: how many rows there were.
        """

    @abstractmethod
    def close(self, status: str) -> None:
        """The run completed, failed or was interrupted."""

    def run_began(self, event: Event) -> None:
        """Open the run. All rows that there are by now belong to checkpoints."""
        saved = read_object(self._state)
        self._passed = int(saved.get("rows", 0))
        self._id = self.open(str(saved.get("id", "")))
        rows = self._table.read()
        self._checkpoint = max((row[0] for row in rows), default=-1)
        self._waiting = rows[self._passed :]
        self._keep()

    def checkpoint_written(self, event: Event) -> None:
        """The rows up to this round are final."""
        self._checkpoint = event["round"]
        self._pass_on()

    def evaluated(self, event: Event) -> None:
        """The round's checkpoint was written before it was tested."""
        self._pass_on()

    def run_ended(self, event: Event) -> None:
        """Pass on what is left, such as the last attack, and close."""
        if self._id:  # else it ended before it began
            self._pass_on()
            self.close(event["status"])

    def _pass_on(self) -> None:
        self._waiting += self._table.read()
        ready = list(takewhile(lambda row: row[0] <= self._checkpoint, self._waiting))
        for round, group in groupby(ready, key=lambda row: row[0]):
            rows = list(group)
            scalars = {f"{split}/{metric}": value for _, split, metric, value in rows}
            self.log(round, scalars, self._passed)
            self._passed += len(rows)
        self._waiting = self._waiting[len(ready) :]
        if ready:
            self._keep()

    def _keep(self) -> None:
        replace_text(self._state, json.dumps({"id": self._id, "rows": self._passed}) + "\n")


class NewRows:
    """Reads metrics.csv as it grows."""

    def __init__(self, path: Path) -> None:
        self._path, self._offset = path, 0

    def read(self) -> list[MetricRow]:
        """The rows since the last call; none while there is no file."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
        table = csv.reader(io.StringIO(data.decode("utf-8"), newline=""))
        rows = list(table)[0 if self._offset else 1 :]  # without the header
        self._offset += len(data)
        return [(int(round), split, metric, float(value)) for round, split, metric, value in rows]
