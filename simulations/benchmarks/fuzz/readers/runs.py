"""Readers of what runs leave: the run folder, checkpoints, run files, suites, measurements."""

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import torch
from flwr.serverapp.strategy import FedAdam
from torch import Tensor

from fedmvp_core.config import RunConfig, parse_config
from fedmvp_core.errors import ConfigError
from fedmvp_core.run_folder import CHECKPOINTS, read_object
from server_app.aggregation import restore_rule
from server_app.aggregation.flower_state import restore_strategy, strategy_state
from server_app.records.checkpoints import ServerState, read_checkpoint, save_checkpoint
from server_app.records.resuming import (
    check_clients,
    check_shards,
    check_splits,
    cut_steps,
    metric_rows,
    round_to_resume,
)
from simulations.bench.record import Measured, Record, read_record, write_record
from simulations.benchmarks.fuzz.reader import Reader
from simulations.report.attacked_later import alarm_sentence, later_attacks
from simulations.report.run_data import read_run
from simulations.runner.named_runs import load_named_run, resolve_config
from simulations.runner.project import default_config
from simulations.runner.results import final_accuracies, read_config
from simulations.suite import load_suite

_SCHEMA = {"a": torch.zeros(2, 3), "b": torch.ones(4)}
_SHARD = {"partition-id": 0, "num-examples": 3, "classes": {"ant": 3}, "domains": {"noto": 3}}
_SPLIT = {"images": 3, "sha256": "00ff", "classes": {"ant": [3, "00ff"]}}
_EVENTS = (
    {"event": "start", "rounds": 2, "time": 1.5},
    {"event": "round", "round": 1, "loss": 0.5, "seconds": 1, "clients": 2, "failed": 0},
    {"event": "evaluation", "round": 1, "metric": "accuracy", "accuracy": {"base": 0.5}},
    {"event": "robust-evaluation", "round": 1, "attack": "pgd-10", "accuracy": {"base": 0.1}},
    {"event": "taken-up"},
)
_FINDING = {"check": "steps", "split": "base", "model": "tuned", "passed": True}
_ALARM = {"findings": [_FINDING], "budget": {"epsilon": "4/255"}, "round": 2}
_RUN_FILE = 'description = "short"\nsupernodes = 2\n[config]\nrounds = 2\n"method.lora-rank" = 2\n'
_SUITE = (
    'description = "two"\nseeds = [1, 2]\nsplits = ["base"]\n[config]\nrounds = 2\n[runs.a]\n'
    '[runs.b.config]\nmethod = "capt"\n[grid]\nshots = [1, 2]\n'
    '[published.a]\nclean = {base = 70.5}\n[attacks]\nnames = ["pgd"]\nimages = 4\n'
)


def _json(*values: object) -> Callable[[], list[bytes]]:
    return lambda: [json.dumps(value, indent=1).encode() for value in values]


def _text(*texts: str) -> Callable[[], list[bytes]]:
    return lambda: [text.encode() for text in texts]


def _config_beside(path: Path) -> None:
    (path.parent / "config.json").write_text(json.dumps({"rounds": 2}))


def _of_run(
    file: str, sound: Callable[[], list[bytes]], read: Callable[[Path], object] | None = None
) -> Reader:
    """A file of a run folder, read with the folder and, if it is read elsewhere too, by `read`."""

    def both(path: Path) -> None:
        read_run(path.parent)
        if read is not None:
            read(path)

    return Reader(file, sound, both, _config_beside)


@cache
def _run_config() -> RunConfig:
    return parse_config({**default_config(), "resume": "latest"})


def _shards(path: Path) -> None:
    check_clients(path, 1)
    check_shards(path, [_SHARD], all_there=True)
    check_shards(path, [_SHARD], all_there=False)


def _metrics(path: Path) -> None:
    metric_rows(path, 1)
    final_accuracies(path.parent)


def _config(path: Path) -> None:
    read_config(path.parent)
    with suppress(ConfigError):  # it is another run's
        round_to_resume(path.parent, _run_config())


# --- checkpoints


def _saved_pair(folder: Path) -> Path:
    state = ServerState({0: "full", 1: "lora"}, {"momentum": torch.zeros(2)})
    return save_checkpoint(folder, 1, _SCHEMA, {"run-id": "0123abcd"}, state)


def _pair_beside(path: Path) -> None:
    _saved_pair(path.parent)


def _half(suffix: str) -> list[bytes]:
    with TemporaryDirectory() as folder:
        return [_saved_pair(Path(folder)).with_suffix(suffix).read_bytes()]


def _rehashed(path: Path) -> object:
    """Read a checkpoint whose description has the hash of the damaged tensors."""
    facts = json.loads(path.with_suffix(".json").read_text())
    facts["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_suffix(".json").write_text(json.dumps(facts))
    return _checkpoint(path)


def _checkpoint(path: Path) -> object:
    return read_checkpoint(path.parent, 1, _SCHEMA)


def _kept_strategy(path: Path) -> None:
    """Restore a Flower strategy from attributes that a checkpoint held."""
    _, tensors = _strategy()
    text = torch.frombuffer(bytearray(path.read_bytes() or b" "), dtype=torch.uint8)
    rule: Any = SimpleNamespace(restore=partial(restore_strategy, FedAdam()))
    restore_rule(rule, {**tensors, "attributes": text})


def _strategy() -> tuple[bytes, dict[str, Tensor]]:
    state = strategy_state(FedAdam())
    return state.pop("attributes").numpy().tobytes(), state


def _record() -> list[bytes]:
    part = Measured("step", "a step", "s", "plain", {"plain": [1.0, 2.0], "ours": [0.5, 0.7]})
    with TemporaryDirectory() as folder:
        write_record(path := Path(folder) / "record.json", Record({"device": "CPU"}, [part]))
        return [path.read_bytes()]


RUNS: Mapping[str, Reader] = {
    "run-config": Reader("config.json", _json({"rounds": 2, "method": "capt"}), _config),
    "run-status": _of_run("status.json", _json({"status": "completed", "rounds": 2})),
    "run-environment": _of_run("environment.json", _json({"python": "3.11.2", "seconds": 2.5})),
    "run-progress": _of_run(
        "progress.jsonl", _text("".join(json.dumps(e) + "\n" for e in _EVENTS))
    ),
    "run-metrics": _of_run(
        "metrics.csv", _text("round,split,metric,value\r\n1,base,accuracy,0.5\r\n"), _metrics
    ),
    "run-steps": _of_run(
        "steps.csv",
        _text("round,split,step,metric,value\n1,client-0,1,loss,0.5\n2,client-0,1,loss,0.25\n"),
        lambda path: cut_steps(path, 1),
    ),
    "run-classes": _of_run(
        "classes.csv", _text("split,class,images,zero_shot_accuracy,accuracy\nbase,ant,3,0.5,1\n")
    ),
    "run-shards": _of_run("shards.json", _json([_SHARD]), _shards),
    "run-splits": Reader(
        "splits.json",
        _json({"train": _SPLIT, "base": _SPLIT}),
        lambda path: check_splits(path, {"train": _SPLIT, "base": {**_SPLIT, "images": 4}}, "x"),
        named=False,
    ),
    "run-attacks": Reader(
        "attacks/later.csv",
        _text(
            "split,attack,steps,epsilon,defence,round,images,zero_shot_clean,zero_shot_robust,"
            "tuned_clean,tuned_robust\nbase,pgd,10,4/255,,2,8,0.5,0.1,0.75,0.25\n"
        ),
        lambda path: later_attacks(path.parent.parent),
    ),
    "run-alarm": Reader(
        "attacks/alarm.json", _json(_ALARM), lambda path: alarm_sentence(path.parent.parent)
    ),
    "checkpoint-tensors": Reader(
        f"{CHECKPOINTS}/round-0001.safetensors",
        lambda: _half(".safetensors"),
        _rehashed,
        _pair_beside,
    ),
    "checkpoint-description": Reader(
        f"{CHECKPOINTS}/round-0001.json",
        lambda: _half(".json"),
        _checkpoint,
        _pair_beside,
    ),
    "checkpoint-strategy": Reader(
        "attributes", lambda: [_strategy()[0]], _kept_strategy, named=False
    ),
    "run-file": Reader(
        "mine.toml",
        _text(_RUN_FILE),
        lambda path: resolve_config(load_named_run(str(path)), {}),
        named=False,
    ),
    "suite": Reader("suite.toml", _text(_SUITE), lambda path: load_suite(str(path))),
    "bench-record": Reader("record.json", _record, read_record),
    "plugin-cache": Reader("kept.json", _json({"stamp": "a", "lines": ["b"]}), read_object),
}
