"""The folder that a run leaves (docs/run_folder.md)."""

import csv
import json
import platform
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from torch import Tensor

from fedmvp_core.config import RunConfig
from fedmvp_core.disk import replace_file, replace_text
from fedmvp_core.errors import ConfigError
from fedmvp_core.sources import source_folder, source_hash
from server_app.checkpoints import save_checkpoint
from server_app.nodes import Node

LEFT_BEHIND = (
    "classes.csv",
    "environment.json",
    "metrics.csv",
    "progress.jsonl",
    "report.html",
    "shards.json",
    "steps.csv",
)
VERSIONED = ("fedmvp", "torch", "open_clip_torch", "flwr", "ray", "numpy")


class RunFolder:
    """Writes the files of one run; every file is whole at any moment.

    Raises:
        ConfigError: the folder cannot be written, or holds a run that may not be overwritten.
    """

    def __init__(self, config: RunConfig) -> None:
        self.config = config
        self.path = Path(config.output_dir).expanduser().resolve() / config.run_name
        self._rows: list[tuple[int, str, str, float]] = []
        self._started, self._rounds_completed = time.time(), 0
        self.on_event: Callable[[Mapping[str, Any]], None] | None = None  # told of every event
        if not config.overwrite and (self.path / "config.json").exists():
            raise ConfigError(
                f"'{self.path}' holds a run already; choose another run-name, or overwrite"
            )
        try:
            self._clear()
            self._write_json("config.json", config.as_mapping())
            self.write_status("running")
        except OSError as error:
            raise ConfigError(f"run folder '{self.path}' cannot be written: {error}") from error

    def _clear(self) -> None:
        """Remove what an earlier run of this name left, and nothing else."""
        (self.path / "checkpoints").mkdir(parents=True, exist_ok=True)
        stale = list((self.path / "checkpoints").glob("round-*"))
        for path in [*stale, *(self.path / name for name in LEFT_BEHIND)]:
            path.unlink(missing_ok=True)
        shutil.rmtree(self.path / "attacks", ignore_errors=True)

    def write_environment(self, device: str) -> None:
        """Versions, platform and the hash of the running sources."""
        versions = {
            name.replace("open_clip_torch", "open-clip"): version(name) for name in VERSIONED
        }
        ended = time.time()
        environment = {
            **versions,
            "python": platform.python_version(),
            "platform": platform.platform(),
            "device": device,
            "source-hash": source_hash(),
            "source-folder": str(source_folder()),
            "started": datetime.fromtimestamp(self._started, UTC).isoformat(timespec="seconds"),
            "ended": datetime.fromtimestamp(ended, UTC).isoformat(timespec="seconds"),
            "seconds": round(ended - self._started, 1),
        }
        self._write_json("environment.json", environment)

    def write_shards(self, nodes: Sequence[Node]) -> None:
        """Who holds what."""
        shards = [
            {
                "partition-id": node.partition_id,
                "num-examples": node.num_examples,
                "classes": node.classes,
                "domains": node.domains,
            }
            for node in nodes
        ]
        self._write_json("shards.json", shards)

    def record(self, round: int, split: str, metric: str, value: float) -> None:
        """Add one row to the metrics; write_metrics puts them on disk."""
        self._rows.append((round, split, metric, float(value)))

    def write_metrics(self) -> None:
        """Write metrics.csv as it stands."""
        self._write_table("metrics.csv", ("round", "split", "metric", "value"), self._rows)

    def append_steps(self, round: int, split: str, steps: Mapping[str, Sequence[float]]) -> None:
        """What every local step of a client measured, in steps.csv."""
        path = self.path / "steps.csv"
        new = not path.exists()
        with path.open("a", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(("round", "split", "step", "metric", "value"))
            for metric, values in steps.items():
                writer.writerows(
                    (round, split, step, metric, value) for step, value in enumerate(values, 1)
                )

    def write_classes(
        self, rows: Sequence[tuple[str, str, int, float, float]], multi_label: bool = False
    ) -> None:
        """Accuracy by class after the last round; average precision with several labels."""
        metric = "average_precision" if multi_label else "accuracy"
        header = ("split", "class", "images", f"zero_shot_{metric}", metric)
        self._write_table("classes.csv", header, rows)

    def write_checkpoint(
        self, round: int, tensors: Mapping[str, Tensor], weights_hash: str
    ) -> None:
        """Keep the global prompt tensors of a round."""
        config = self.config
        facts = {"method": config.method, "backbone": config.backbone, "weights-hash": weights_hash}
        save_checkpoint(self.path / "checkpoints", round, tensors, facts)
        self._rounds_completed = round
        self.write_status("running")

    def write_status(self, status: str, error: str | None = None) -> None:
        """running, completed, failed or interrupted."""
        content = {
            "status": status,
            "rounds": self.config.rounds,
            "rounds-completed": self._rounds_completed,
            "error": error,
        }
        self._write_json("status.json", content)

    def event(self, event: str, **facts: Any) -> None:
        """Append one line to progress.jsonl, which `fedmvp run` shows while the run goes on."""
        content = {"event": event} | {key.replace("_", "-"): value for key, value in facts.items()}
        with (self.path / "progress.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(content) + "\n")
        if self.on_event is not None:
            self.on_event(content)

    def _write_json(self, name: str, content: Any) -> None:
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        replace_text(self.path / name, text)

    def _write_table(self, name: str, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        def write(path: Path) -> None:
            with path.open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(header)
                writer.writerows(rows)

        replace_file(self.path / name, write)
