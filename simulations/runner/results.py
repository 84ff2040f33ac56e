"""The runs that there are, and what they reached: read from their folders."""

import json
import re
from pathlib import Path

from fedmvp_core.config import RunConfig, did_you_mean, parse_config
from fedmvp_core.errors import CheckpointError, ConfigError
from fedmvp_core.metrics.names import ACCURACY, MAP
from fedmvp_core.replaced_run import is_beside
from fedmvp_core.run_folder import CONFIG, METRICS, holds_run, read_metrics
from simulations.attack.names import AttackName, attack_of_metric
from simulations.runner.progress import percent
from simulations.runner.project import default_config

# Shown before other splits, in this order. Single clients are left to the report.
SPLITS = ("local", "base", "new", "harmonic-mean", "source", "target")
_CLIENT = re.compile(r"client-\d+")
# split -> (zero-shot, tuned)
Accuracies = dict[str, tuple[float | None, float | None]]


def find_run(word: str, output_dir: Path) -> Path:
    """A run folder from its path, or from its name below `output_dir`.

    Raises:
        ConfigError: neither is a folder that holds a run.
    """
    candidates = (Path(word).expanduser(), output_dir / word)
    for folder in candidates:
        if holds_run(folder):
            return folder.absolute()
    if candidates[0].is_dir():
        raise ConfigError(f"{candidates[0]} holds no run (it has no {CONFIG})")
    names = [folder.name for folder in run_folders(output_dir)]
    if not names:
        raise ConfigError(f"no run '{word}'; {output_dir} holds no runs; make one: fedmvp demo")
    raise ConfigError(f"no run '{word}'{did_you_mean(word, names)}; see: fedmvp list")


def run_folders(output_dir: Path) -> list[Path]:
    """The run folders directly below a folder, by name."""
    if not output_dir.is_dir():
        return []
    folders = (path for path in output_dir.iterdir() if path.is_dir() and not is_beside(path))
    return sorted(path for path in folders if holds_run(path))


def read_config(folder: Path) -> RunConfig:
    """The configuration that a run was made with; keys that are younger than it have defaults.

    Raises:
        CheckpointError: the folder holds no run, or one with other keys or plugins than ours.
    """
    path = folder / CONFIG
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        said = error if isinstance(error, OSError) else f"'{path}' cannot be read: {error}"
        raise CheckpointError(f"'{folder}' is no run folder: {said}") from error
    if not isinstance(saved, dict) or not saved:
        raise CheckpointError(f"'{path}' holds no run-config keys")
    try:
        return parse_config({**default_config(), **saved})
    except ConfigError as error:
        raise CheckpointError(
            f"'{path}' is of another version or lacks a plugin: {error}"
        ) from None


def final_accuracies(folder: Path) -> Accuracies:
    """For each split: zero-shot accuracy and accuracy after the last evaluated round.

    With several labels an image it is mAP; `final_headline` tells which.
    """
    values = _last_values(folder)
    return _pairs(values, _headline(values))


def final_headline(folder: Path) -> str:
    """What a run's splits are known by: "accuracy" or "map"."""
    return _headline(_last_values(folder))


def _headline(values: dict[tuple[str, str], float]) -> str:
    return MAP if any(metric == MAP for _, metric in values) else ACCURACY


def final_robust_accuracies(folder: Path) -> tuple[AttackName | None, Accuracies]:
    """The attack of the run's evaluation, and what it left of each split; None: of none."""
    values = _last_values(folder)
    names = (attack_of_metric(metric) for _, metric in values)
    attack = next((name for name in names if name is not None), None)
    return attack, _pairs(values, attack.metric(_headline(values))) if attack else {}


def _last_values(folder: Path) -> dict[tuple[str, str], float]:
    """(split, metric) -> the value of the last round that has it."""
    values: dict[tuple[str, str], tuple[int, float]] = {}
    for round, split, metric, value in read_metrics(folder / METRICS):
        key = (split, metric)
        if key not in values or round >= values[key][0]:
            values[key] = (round, value)
    return {key: value for key, (_, value) in values.items()}


def _pairs(values: dict[tuple[str, str], float], metric: str) -> Accuracies:
    found = {split for split, name in values if name in (metric, f"zero-shot-{metric}")}
    splits = [split for split in SPLITS if split in found]
    splits += [s for s, _ in values if s not in SPLITS and s in found and not _CLIENT.fullmatch(s)]
    return {s: (values.get((s, f"zero-shot-{metric}")), values.get((s, metric))) for s in splits}


def shown(value: float | None) -> str:
    """A fraction as percent, or a dash."""
    return "-" if value is None else percent(value)


def points(before: float | None, after: float | None) -> str:
    """The difference of two fractions in percentage points, signed."""
    return "-" if before is None or after is None else f"{100 * (after - before):+.1f}"
