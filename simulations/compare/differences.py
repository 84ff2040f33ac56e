"""What makes runs different: keys of their configuration, versions, and the pictures tested on."""

from collections.abc import Mapping, Sequence
from typing import Any

from fedmvp_core.config import PLACES
from fedmvp_core.config.words import text
from fedmvp_core.run_folder import SPLITS, read_object
from simulations.report.run_data import RunData

# Of environment.json; times and folders say nothing of a result.
VERSIONS = ("fedmvp", "source-hash", "python", "torch", "open-clip", "flwr", "numpy", "device")
UNKNOWN = "–"

Rows = list[tuple[str, list[str]]]  # what, and its value in each run


def configuration_rows(runs: Sequence[RunData]) -> Rows:
    """The keys that differ, but for those that say where a run leaves things and how it begins.

    A key that a run lacks is younger than the run; it counts if the other runs differ.
    """
    keys = dict.fromkeys(key for run in runs for key in run.config)
    return _differing([run.config for run in runs], [key for key in keys if key not in PLACES])


def version_rows(runs: Sequence[RunData]) -> Rows:
    """The versions and devices that differ."""
    return _differing([run.environment for run in runs], VERSIONS)


def _differing(values: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> Rows:
    rows = []
    for key in keys:
        known = {text(of_run[key]) for of_run in values if key in of_run}
        if len(known) > 1:
            rows.append((key, [_shown(of_run.get(key)) for of_run in values]))
    return rows


def _shown(value: Any) -> str:
    return UNKNOWN if value is None else text(value) or '""'


def other_pictures(runs: Mapping[str, RunData]) -> list[str]:
    """A sentence for each split whose numbers are of other pictures in one run than in another."""
    splits = {name: read_object(run.folder / SPLITS) for name, run in runs.items()}
    sentences = []
    for split in dict.fromkeys(split for of_run in splits.values() for split in of_run):
        groups: dict[str, list[str]] = {}
        for name, of_run in splits.items():
            if isinstance(of_run.get(split), dict):
                groups.setdefault(str(of_run[split].get("sha256")), []).append(name)
        if len(groups) > 1:
            parts = " | ".join(", ".join(names) for names in groups.values())
            sentences.append(f"split '{split}' is of other pictures or labels: {parts}")
    return sentences
