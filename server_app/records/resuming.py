"""What a run that goes on takes from its folder: its last checkpoint, and the rows up to there."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fedmvp_core.config import RunConfig
from fedmvp_core.data.fingerprints import Fingerprint, changes, read_fingerprints, sentence
from fedmvp_core.disk import replace_text
from fedmvp_core.errors import CheckpointError, ConfigError, DataError
from fedmvp_core.json_logs import logger
from fedmvp_core.run_folder import (
    CHECKPOINTS,
    CONFIG,
    SPLITS,
    MetricRow,
    differences,
    no_fingerprint,
    read_metrics,
)
from server_app.records.checkpoints import latest_round


def round_to_resume(folder: Path, config: RunConfig) -> int | None:
    """The round after which `resume = "latest"` goes on; None: the run begins anew.

    Raises:
        ConfigError: the folder holds a run of another configuration.
        CheckpointError: what it holds is damaged, so that nothing of the run could be kept.
    """
    if config.run.resume != "latest" or not (folder / CONFIG).exists():
        return None
    _check_config(folder / CONFIG, config)
    found = latest_round(folder / CHECKPOINTS)
    if found is None and any((folder / CHECKPOINTS).glob("round-*.safetensors")):
        raise CheckpointError(
            f"'{folder}' holds checkpoints and none can be used; to begin anew, leave resume out"
        )
    return found


def _check_config(path: Path, config: RunConfig) -> None:
    """Refuse a run of another configuration.

    Raises:
        ConfigError: it is one.
        CheckpointError: its configuration cannot be read.
    """
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"'{path}' cannot be read: {error}") from error
    if not isinstance(saved, dict):
        raise CheckpointError(f"'{path}' cannot be read: it holds no object")
    differs = [
        f"{key} (was {before!r}, is {now!r})"
        for key, (before, now) in differences(saved, config).items()
        # Pictures may have been moved: `check_splits` sees whether they are the same.
        if key != "data-dir" or not (path.parent / SPLITS).exists()
    ]
    if differs:
        raise ConfigError(
            f"resume is latest, but the run in '{path.parent}' has another configuration: "
            f"{', '.join(differs)}; allowed: the same, or resume='' to begin anew"
        )


def check_shards(path: Path, shards: list[dict[str, Any]], all_there: bool) -> None:
    """Compare who holds what with what shards.json says of the run's beginning.

    all_there: the clients must be the same; otherwise some may not have come then, or not now.

    Raises:
        ConfigError: it is something else, so that the run could not go on as it began.
    """
    before = _listed_shards(path)
    if before is None:
        return  # it had not come so far, or the file is lost: there is nothing to compare
    now = json.loads(json.dumps(shards))
    if not all_there:
        known = {shard["partition-id"]: shard for shard in before}
        before = [known.get(shard["partition-id"], shard) for shard in now]
    if before != now:
        raise ConfigError(
            f"resume is latest, but the {len(shards)} clients do not hold what '{path}' says they "
            "held when the run began; allowed: the same supernodes with the same data"
        )


def check_splits(path: Path, now: Mapping[str, Fingerprint], place: str) -> None:
    """Compare the splits with what splits.json says of the run's beginning.

    place: where the pictures are now. Of a run that kept nothing, this is said in the log.

    Raises:
        ConfigError: they are others, so that the run could not go on as it began.
    """
    before = read_fingerprints(path)
    if not before:
        logger.warning("%s", no_fingerprint(path.parent))
        return
    if found := changes(before, now):
        raise ConfigError(
            f"resume is latest, but the pictures in '{place}' are not those that the run in "
            f"'{path.parent}' began with: {sentence(found)}; allowed: the same pictures, wherever "
            "they are (data-dir=DIR)"
        )


def check_clients(path: Path, clients: int) -> None:
    """Compare the number of clients with shards.json, where it is known before the run starts.

    Raises:
        ConfigError: there were more or fewer.
    """
    before = _listed_shards(path)
    if before is not None and len(before) != clients:
        raise ConfigError(
            f"resume is latest, but there are {clients} clients, and '{path}' names {len(before)}; "
            "allowed: as many supernodes, with the same data"
        )


def _listed_shards(path: Path) -> list[dict[str, Any]] | None:
    """What shards.json lists, or None when the file is absent or damaged."""
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(listed, list) or not all(
        isinstance(shard, dict) and type(shard.get("partition-id")) is int for shard in listed
    ):
        return None
    return listed


def metric_rows(path: Path, last: int) -> list[MetricRow]:
    """The rows of metrics.csv of the rounds up to `last`.

    Raises:
        CheckpointError: the file is missing or damaged.
    """
    try:
        return [row for row in read_metrics(path) if row[0] <= last]
    except DataError as error:
        raise CheckpointError(str(error)) from error


def cut_steps(path: Path, last: int) -> None:
    """Remove what rounds after `last` left in steps.csv; its last line may be half a line."""
    if not path.exists():
        return
    lines = path.read_bytes().decode(errors="replace").splitlines(keepends=True)
    kept = [line for line in lines[1:] if line.endswith("\n") and _round_of(line) <= last]
    replace_text(path, "".join([*lines[:1], *kept]))


def _round_of(line: str) -> float:
    """The round that a line begins with; of a damaged line: after all others."""
    word = line.partition(",")[0]
    return int(word) if word.isascii() and word.isdigit() else float("inf")


def end_half_line(path: Path) -> None:
    """Let what is appended to a file begin on a line of its own, whatever was cut off before."""
    if path.exists() and not path.read_bytes().endswith(b"\n"):
        with path.open("ab") as file:
            file.write(b"\n")
