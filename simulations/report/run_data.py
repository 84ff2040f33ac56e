"""Read a run folder, finished or not, into one frozen value."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from fedmvp_core.errors import DataError
from fedmvp_core.metrics.names import ACCURACY, MAP
from fedmvp_core.run_folder import (
    CLASSES,
    CONFIG,
    ENVIRONMENT,
    METRIC_COLUMNS,
    METRICS,
    PROGRESS,
    SHARDS,
    STATUS,
    STEP_COLUMNS,
    STEPS,
    MetricRow,
    class_columns,
    read_metrics,
)

CLASS_COLUMNS = ("split", "class", "images", "zero_shot", "tuned")
TAKEN_UP = '"taken-up"'
WORDS = {ACCURACY: "accuracy", MAP: "mAP"}  # how metrics are written in words


@dataclass(frozen=True)
class ShardCounts:
    """What one client holds: images by class name and by domain."""

    partition_id: int
    num_examples: int
    classes: dict[str, int]
    domains: dict[str, int]


@dataclass(frozen=True)
class RunData:
    """The files of a run folder; what an unfinished run has not written yet is empty.

    classes: split, class, images, zero_shot and tuned: accuracies, or average precisions.
    """

    folder: Path
    config: dict[str, Any]
    environment: dict[str, Any]
    status: dict[str, Any]
    events: tuple[dict[str, Any], ...]
    metrics: pd.DataFrame
    steps: pd.DataFrame
    shards: tuple[ShardCounts, ...]
    classes: pd.DataFrame

    @property
    def headline(self) -> str:
        """The metric that splits are known by: "accuracy", or "map" with several labels."""
        return MAP if (self.metrics["metric"] == MAP).any() else ACCURACY

    @property
    def measure(self) -> str:
        """The same in words: "accuracy" or "mAP"."""
        return WORDS[self.headline]

    def series(self, split: str, metric: str) -> "pd.Series[float]":
        """One metric of one split, indexed by round."""
        rows = self.metrics[(self.metrics["split"] == split) & (self.metrics["metric"] == metric)]
        return rows.set_index("round")["value"].sort_index()

    def event(self, kind: str) -> dict[str, Any]:
        """The last progress event of a kind, or an empty mapping."""
        return next((event for event in reversed(self.events) if event.get("event") == kind), {})


def read_run(folder: Path, with_steps: bool = True) -> RunData:
    """Read whatever a run has written so far.

    with_steps: whether to read steps.csv, the longest of the tables; empty without.

    Raises:
        DataError: the folder is no run folder, or a file in it is broken; it names the path.
    """
    folder = Path(folder)
    if not (folder / CONFIG).is_file():
        raise DataError(f"{folder} is no run folder: it holds no {CONFIG}")
    events = _read_events(folder / PROGRESS)
    return RunData(
        folder=folder,
        config=_read_json(folder / CONFIG, dict),
        environment=_read_json(folder / ENVIRONMENT, dict),
        status=_read_json(folder / STATUS, dict),
        events=events,
        metrics=_read_metrics(folder / METRICS, events),
        steps=_read_steps(folder / STEPS) if with_steps else pd.DataFrame(columns=STEP_COLUMNS),
        shards=_read_shards(folder / SHARDS),
        classes=_read_classes(folder / CLASSES),
    )


def _read_json(path: Path, kind: type) -> Any:
    """The JSON value in a file, or an empty `kind` where there is no file."""
    if not path.is_file():
        return kind()
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(value, kind):
        raise DataError(f"{path} holds a {type(value).__name__}; expected a {kind.__name__}")
    return value


def _read_events(path: Path) -> tuple[dict[str, Any], ...]:
    """Every whole line; the last may be cut short, because the run may still be writing it.

    So may the one before the mark of a run taken up again, if its process died while it wrote.
    """
    if not path.is_file():
        return ()
    lines = _text(path).splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines.pop()
    numbered = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    events: list[dict[str, Any]] = []
    for place, (number, line) in enumerate(numbered):
        try:
            event = json.loads(line)
        except (ValueError, RecursionError) as error:
            if place + 1 < len(numbered) and TAKEN_UP in numbered[place + 1][1]:
                continue
            raise DataError(f"{path}, line {number}, is not JSON: {error}") from error
        if not isinstance(event, dict):
            raise DataError(f"{path}, line {number}, holds {event!r}; expected an object")
        events.append(event)
    return tuple(events)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as text: {error}") from error


def _read_table(path: Path, columns: tuple[str, ...], numeric: tuple[str, ...]) -> pd.DataFrame:
    """A CSV table with at least these columns, the `numeric` ones as numbers."""
    if not path.is_file() or path.stat().st_size == 0:
        return pd.DataFrame({column: pd.Series(dtype="object") for column in columns})
    try:
        # A class may be called "None" or "NA", so only an empty cell of a number is missing.
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
        missing = [column for column in columns if column not in table.columns]
        if missing:
            raise DataError(f"{path} lacks the columns {', '.join(missing)}")
        for column in numeric:
            table[column] = table[column].map(lambda cell: float(cell or "nan"))
        table = table.dropna(subset=[column for column in ("round",) if column in columns])
        return table.astype({"round": int}) if "round" in columns else table
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as a table: {error}") from error


def _read_steps(path: Path) -> pd.DataFrame:
    return _read_table(path, STEP_COLUMNS, ("round", "step", "value"))


def _read_classes(path: Path) -> pd.DataFrame:
    """CLASS_COLUMNS, whatever the classes were measured in."""
    header = _text(path).partition("\n")[0] if path.is_file() else ""
    columns = class_columns(multi_label=class_columns(True)[-1] in header.split(","))
    table = _read_table(path, columns, columns[2:])
    return table.rename(columns=dict(zip(columns, CLASS_COLUMNS, strict=True)))


def _read_shards(path: Path) -> tuple[ShardCounts, ...]:
    try:
        shards = [
            ShardCounts(
                partition_id=int(entry["partition-id"]),
                num_examples=int(entry["num-examples"]),
                classes={str(name): int(count) for name, count in entry["classes"].items()},
                domains={str(name): int(count) for name, count in entry["domains"].items()},
            )
            for entry in _read_json(path, list)
        ]
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise DataError(f"{path} does not describe shards: {error!r}") from error
    return tuple(sorted(shards, key=lambda shard: shard.partition_id))


def _read_metrics(path: Path, events: tuple[dict[str, Any], ...]) -> pd.DataFrame:
    """METRIC_COLUMNS; of a run that stopped before it wrote any, what its events tell."""
    rows = read_metrics(path) if path.is_file() and path.stat().st_size else []
    try:
        rows = rows or _rows_of_events(events)
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        told = path.with_name(PROGRESS)
        raise DataError(f"{told} has an event without its round or numbers: {error!r}") from error
    return pd.DataFrame(rows, columns=list(METRIC_COLUMNS))


def _rows_of_events(events: tuple[dict[str, Any], ...]) -> list[MetricRow]:
    """What progress.jsonl tells of metrics.csv."""
    rows: list[MetricRow] = []
    names = {"failed": "failed-clients"}
    for event in events:
        if event.get("event") == "round":
            for key in ("loss", "seconds", "clients", "failed", "bytes-up", "bytes-down"):
                if isinstance(event.get(key), int | float):
                    rows.append(
                        (int(event["round"]), "train", names.get(key, key), float(event[key]))
                    )
        elif event.get("event") == "evaluation":
            for split, value in event.get("accuracy", {}).items():
                metric = str(event.get("metric", ACCURACY))
                rows.append((int(event["round"]), split, metric, float(value)))
        elif event.get("event") == "robust-evaluation":
            for split, value in event.get("accuracy", {}).items():
                rows.append((int(event["round"]), split, str(event.get("attack")), float(value)))
    return rows
