"""The folder that a run leaves (docs/run_folder.md)."""

import csv
import json
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from fedmvp_core.config import RunConfig
from fedmvp_core.data.fingerprints import fingerprints
from fedmvp_core.data.settings import Setting
from fedmvp_core.disk import remove_leftovers, replace_file, replace_text
from fedmvp_core.errors import ConfigError
from fedmvp_core.json_logs import logger
from fedmvp_core.replaced_run import (
    check_replaceable,
    is_worth_keeping,
    let_go,
    set_aside,
    settle,
    settle_broken_off,
)
from fedmvp_core.run_folder import (
    CHECKPOINTS,
    CLASSES,
    COMPLETED,
    CONFIG,
    ENVIRONMENT,
    LOGS,
    METRICS,
    PROGRESS,
    RUNNING,
    SHARDS,
    SPLITS,
    STATUS,
    STEP_COLUMNS,
    STEPS,
    class_columns,
    holds_run,
    read_object,
    read_status,
    remove_run,
    run_folder,
)
from server_app.cohort.nodes import Node
from server_app.records.checkpoints import Checkpoint, ServerState, read_checkpoint, save_checkpoint
from server_app.records.environment import environment
from server_app.records.metrics_table import MetricsTable
from server_app.records.resuming import (
    check_shards,
    check_splits,
    cut_steps,
    end_half_line,
    round_to_resume,
)


class RunFolder:
    """Writes the files of one run; every file is whole at any moment.

    resumed_after: the round after which a run goes on, or None.

    Raises:
        ConfigError: the folder cannot be written, holds a run that may not be overwritten, or, to
            be resumed, one of another configuration.
        CheckpointError: the run to be resumed is damaged.
    """

    def __init__(self, config: RunConfig) -> None:
        self.config = config
        self.path = run_folder(config.run)
        self._metrics = MetricsTable(self.path / METRICS)
        self._started, self.rounds_completed = time.time(), 0
        self.run_id = uuid.uuid4().hex  # that of the checkpoint once a run is resumed
        self.on_event: Callable[[Mapping[str, Any]], None] | None = None  # hears every event
        self._replaces, self._found = False, read_status(self.path)
        if holds_run(self.path) and (said := settle_broken_off(self.path)):
            logger.warning("%s", said)
        self.resumed_after = round_to_resume(self.path, config)
        try:
            if self.resumed_after is None:
                self._make_room()
                self._write_json(CONFIG, config.as_mapping())
            else:
                self._take_up(self.resumed_after)
            self.write_status(RUNNING)
        except OSError as error:
            raise ConfigError(f"run folder '{self.path}' cannot be written: {error}") from error

    def _take_up(self, last: int) -> None:
        """Cut to its last checkpoint what a process that was ended in a round left."""
        self.rounds_completed = last
        self._metrics.take_up(last)
        cut_steps(self.path / STEPS, last)
        end_half_line(self.path / PROGRESS)
        for folder in (self.path, self.path / CHECKPOINTS):
            remove_leftovers(folder)

    def holds(self, round: int, metric: str) -> bool:
        """Whether a metric was recorded in round 0 or the latest, by an earlier process too."""
        return self._metrics.holds(round, metric)

    def start(self, schema: Mapping[str, Tensor]) -> Checkpoint | None:
        """The state from which a run goes on, or None.

        schema: prompt tensors as the configuration makes them.

        Raises:
            CheckpointError: the checkpoint's are others.
        """
        if self.resumed_after is None:
            return None
        checkpoint = read_checkpoint(self.path / CHECKPOINTS, self.resumed_after, schema)
        self.run_id = checkpoint.run_id or self.run_id
        return checkpoint

    def _make_room(self) -> None:
        """Set aside a run of this name that came to something; of others, remove all but the logs,
        which are of this run already."""
        resuming = self.config.run.resume == "latest" and (self.path / CONFIG).exists()
        if not resuming and is_worth_keeping(self.path):
            check_replaceable(self.path, self.config.run.overwrite)
            set_aside(self.path)
            self._replaces = True
        remove_run(self.path, keep=LOGS)
        (self.path / CHECKPOINTS).mkdir(parents=True, exist_ok=True)

    def write_environment(self, device: str, activation: str = "") -> None:
        """Versions, platform, the hash of the running sources, and the backbone's activation."""
        content = environment(device, activation, self._started, self.resumed_after)
        self._write_json(ENVIRONMENT, content)

    def give_way(self) -> None:
        """Put back the run that this one has set aside, unless it has trained a round.

        What `fedmvp run` has set aside it puts back itself, when all has been read.
        """
        failed = settle(self.path) if self._replaces else None
        if failed is not None:
            logger.warning(
                "'%s' holds the earlier run as it was; the files of this one are in '%s'",
                *(self.path, failed),
            )

    def write_shards(self, nodes: Sequence[Node]) -> None:
        """Who holds what.

        Raises:
            ConfigError: when the run began, they held something else.
        """
        shards = [
            {
                "partition-id": node.partition_id,
                "num-examples": node.num_examples,
                "classes": node.classes,
                "domains": node.domains,
            }
            for node in nodes
        ]
        if self.resumed_after is not None:
            all_there = self.config.federation.start_clients == 0
            check_shards(self.path / SHARDS, shards, all_there)
        self._write_json(SHARDS, shards)

    def write_splits(self, setting: Setting) -> None:
        """What is trained and tested on, so that it can be told later whether it still is so.

        Raises:
            ConfigError: when the run began, it was something else.
        """
        now = fingerprints(setting)
        if self.resumed_after is not None:
            check_splits(self.path / SPLITS, now, self.config.data.data_dir)
            self._note_place(self.config.data.data_dir)
        self._write_json(SPLITS, now)

    def _note_place(self, data_dir: str) -> None:
        """Where the pictures are now, for who reads config.json later."""
        saved = read_object(self.path / CONFIG)
        if saved.get("data-dir", data_dir) != data_dir:
            self._write_json(CONFIG, {**saved, "data-dir": data_dir})

    def record(self, round: int, split: str, metric: str, value: float) -> None:
        """Add one row to the metrics; write_metrics puts them on disk."""
        self._metrics.record(round, split, metric, value)

    def write_metrics(self) -> None:
        """Put the rows recorded since the last call on disk."""
        self._metrics.write()

    def append_steps(self, round: int, split: str, steps: Mapping[str, Sequence[float]]) -> None:
        """What every local step of a client measured, in steps.csv."""
        path = self.path / STEPS
        new = not path.exists()
        with path.open("a", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(STEP_COLUMNS)
            for metric, values in steps.items():
                writer.writerows(
                    (round, split, step, metric, value) for step, value in enumerate(values, 1)
                )

    def write_classes(
        self, rows: Sequence[tuple[str, str, int, float, float]], multi_label: bool = False
    ) -> None:
        """Accuracy by class after the last round; average precision with several labels."""
        self._write_table(CLASSES, class_columns(multi_label), rows)

    def write_checkpoint(
        self,
        round: int,
        tensors: Mapping[str, Tensor],
        weights_hash: str,
        state: ServerState | None = None,
    ) -> None:
        """Keep the global prompt tensors of a round, and what the server needs to go on."""
        config = self.config
        facts = {
            "method": config.model.method,
            "backbone": config.model.backbone,
            "weights-hash": weights_hash,
            "run-id": self.run_id,
        }
        path = save_checkpoint(self.path / CHECKPOINTS, round, tensors, facts, state)
        self.tell("checkpoint", round=round, path=str(path))
        self.rounds_completed = round
        self.write_status(RUNNING)
        if round:
            let_go(self.path)

    def write_status(self, status: str, error: str | None = None) -> None:
        """running, completed, failed or interrupted."""
        content = {
            "status": status,
            "rounds": self.config.federation.rounds,
            "rounds-completed": self.rounds_completed,
            "error": error,
        }
        self._write_json(STATUS, content)

    def end(self, status: str, error: str | None = None) -> None:
        """Write how the run ended; a process of an earlier run may have written an end before.

        A completed run that was taken up, and could not be, is completed still.
        """
        again = self.resumed_after is not None and self._found.get("status") == COMPLETED
        if again and self.rounds_completed == self._found.get("rounds-completed"):
            self.write_status(COMPLETED)
        else:
            self.write_status(status, error)
        self.event("end", status=status, error=error)
        if status == COMPLETED:
            let_go(self.path)

    def event(self, event: str, **facts: Any) -> None:
        """Append one line to progress.jsonl, which `fedmvp run` shows while the run goes on."""
        with (self.path / PROGRESS).open("a", encoding="utf-8") as file:
            file.write(json.dumps(self.tell(event, **facts)) + "\n")

    def tell(self, event: str, **facts: Any) -> dict[str, Any]:
        """Let callbacks hear an event that no file holds; returns it."""
        content = {"event": event} | {key.replace("_", "-"): value for key, value in facts.items()}
        if self.on_event is not None:
            self.on_event(content)
        return content

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
