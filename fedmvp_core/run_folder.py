"""The folder that a run leaves (docs/run_folder.md): where it lies, what its files are called.

The server writes the folder, the runner claims and closes it, reports and tables read it. Whatever
two of them must agree on stands here.
"""

import csv
import json
import shutil
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from fedmvp_core.config import PLACES, RunConfig, RunSection
from fedmvp_core.config.folding import folded
from fedmvp_core.disk import remove_leftovers
from fedmvp_core.errors import DataError

CONFIG, STATUS, ENVIRONMENT = "config.json", "status.json", "environment.json"
PROGRESS, METRICS, STEPS = "progress.jsonl", "metrics.csv", "steps.csv"
SHARDS, CLASSES, REPORT = "shards.json", "classes.csv", "report.html"
SPLITS = "splits.json"
CEILINGS = "ceilings.json"  # a suite keeps them with the run whose shards they are of
LOGS = APP_LOG, SUPERLINK_LOG = "app.log", "superlink.log"
CHECKPOINTS, ATTACKS, DEPLOYMENT_LOGS = "checkpoints", "attacks", "logs"  # folders
PICTURES = "pictures"  # a folder: what the report shows of the model, as files
LOGGERS = "loggers"  # a folder: what experiment loggers write here, and the ids of their runs

METRIC_COLUMNS = ("round", "split", "metric", "value")
STEP_COLUMNS = ("round", "split", "step", "metric", "value")

RUNNING, COMPLETED, FAILED, INTERRUPTED = "running", "completed", "failed", "interrupted"
ENDED = (COMPLETED, FAILED, INTERRUPTED)

WORKER_LOST = "worker-lost"  # the event of a run that ended since its engine lost a client

MetricRow = tuple[int, str, str, float]  # round, split, metric, value

# The configuration is removed first: without it nothing is resumed.
_FILES = (
    *(CONFIG, STATUS, METRICS, ENVIRONMENT, PROGRESS, STEPS, SHARDS, SPLITS, CLASSES, REPORT),
    CEILINGS,
    *LOGS,
)


def run_folder(run: RunSection) -> Path:
    """Where a run of this configuration leaves its files, as an absolute path."""
    return Path(run.output_dir).expanduser().absolute() / run.run_name


def holds_run(folder: Path) -> bool:
    """Whether a run has begun to write here."""
    return any((folder / name).exists() for name in (CONFIG, STATUS, METRICS))


def remove_run(folder: Path, keep: Collection[str] = ()) -> None:
    """Remove what a run writes, and nothing else that a user may have put there.

    keep: names of files that stay.
    """
    for name in _FILES:
        if name not in keep:
            (folder / name).unlink(missing_ok=True)
    checkpoints = folder / CHECKPOINTS
    for path in checkpoints.glob("round-*"):
        path.unlink(missing_ok=True)
    for place in (folder, checkpoints):
        remove_leftovers(place)
    for made in (ATTACKS, LOGGERS, PICTURES):
        shutil.rmtree(folder / made, ignore_errors=True)
    with suppress(OSError):  # there is none, or a user's file is in it
        checkpoints.rmdir()


def class_columns(multi_label: bool) -> tuple[str, ...]:
    """The columns of classes.csv: average precisions where images have several labels."""
    measure = "average_precision" if multi_label else "accuracy"
    return ("split", "class", "images", f"zero_shot_{measure}", measure)


def read_metrics(path: Path) -> list[MetricRow]:
    """The rows of metrics.csv, in the order of the file.

    Raises:
        DataError: the file is missing or damaged.
    """
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            table = csv.DictReader(stream)
            missing = [name for name in METRIC_COLUMNS if name not in (table.fieldnames or ())]
            if missing:
                raise DataError(f"'{path}' lacks the columns {', '.join(missing)}")
            return [
                (int(row["round"]), row["split"], row["metric"], float(row["value"]))
                for row in table
            ]
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise DataError(f"'{path}' cannot be read as a table: {error}") from error


def read_object(path: Path) -> dict[str, Any]:
    """A JSON object, or an empty one when the file is absent or damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def read_status(folder: Path) -> dict[str, Any]:
    """The content of status.json, or an empty mapping while there is none."""
    return read_object(folder / STATUS)


def no_fingerprint(folder: Path) -> str:
    """What to say of a run that is older than splits.json."""
    return (
        f"the run in '{folder}' kept no fingerprint of its splits ({SPLITS}); whether the pictures "
        "are those that it was made with cannot be told"
    )


def differences(saved: Mapping[str, Any], config: RunConfig) -> dict[str, tuple[Any, Any]]:
    """What makes a run another one than a configuration asks for: key -> (saved, asked for).

    saved: the content of config.json. A key that it lacks is younger than the run and makes no
    difference. Neither do keys that say where a run leaves things, nor `clients = 0`, which asks
    for as many shards as there are clients. Keys of version 0.1 count as the options that they are.

    Raises:
        ConfigError: it names a plugin or an option that is not there.
    """
    saved = folded(saved)
    return {
        key: (saved[key], value)
        for key, value in config.as_mapping().items()
        if key in saved
        and saved[key] != value
        and key not in PLACES
        and (key, value) != ("clients", 0)
    }
