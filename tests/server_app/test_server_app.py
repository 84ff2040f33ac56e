"""Whole runs of the ServerApp: what they leave, and how they end when something fails."""

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from federation_harness import (
    error_reply,
    final_tensors,
    metric_rows,
    run_federation,
    run_folder,
)
from flwr.app import Message, MessageType

from fedmvp_core import protocol
from fedmvp_core.config import RunConfig
from fedmvp_core.errors import ConfigError, FedMVPError

Make = Callable[..., RunConfig]


def status(config: RunConfig) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run_folder(config) / "status.json").read_text())
    return content


def events(config: RunConfig) -> list[dict[str, Any]]:
    lines = (run_folder(config) / "progress.jsonl").read_text().splitlines()
    return [json.loads(line, parse_constant=lambda word: pytest.fail(word)) for line in lines]


def failing(partition_id: int, rounds: tuple[int, ...]) -> Callable[[Message, int], Message | None]:
    """Lets one client fail in some rounds."""

    def intercept(message: Message, partition: int) -> Message | None:
        if message.metadata.message_type != MessageType.TRAIN or partition != partition_id:
            return None
        number = message.content.config_records[protocol.CONFIG][protocol.ROUND]
        return error_reply(message, "CUDA out of memory") if number in rounds else None

    return intercept


def test_clients_that_lack_a_gpu_for_bfloat16_say_so_and_the_server_needs_none(
    small_run: Make,
) -> None:
    with pytest.raises(FedMVPError, match="precision 'bf16' needs a CUDA device, not 'cpu'"):
        run_federation(small_run(precision="bf16", device="cpu"), clients=2)


def test_what_a_run_leaves(small_run: Make) -> None:
    config = small_run(rounds=3, evaluate_every=2, fraction_evaluate=1.0)
    run_federation(config, clients=2)
    folder = run_folder(config)
    assert status(config) == {
        "status": "completed",
        "rounds": 3,
        "rounds-completed": 3,
        "error": None,
    }
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    checkpoints = {
        f"checkpoints/round-000{i}.{s}" for i in range(4) for s in ("json", "safetensors")
    }
    assert files == checkpoints | {
        "config.json",
        "environment.json",
        "status.json",
        "progress.jsonl",
        "metrics.csv",
        "shards.json",
        "splits.json",
        "steps.csv",
        "classes.csv",
    }
    kinds = [(event["event"], event.get("round")) for event in events(config)]

    def training(round: int) -> list[tuple[str, int]]:
        return [(kind, round) for kind in ("asked", "answered", "answered", "round")]

    assert kinds == [
        ("start", None),
        ("evaluation", 0),
        *training(1),
        *training(2),
        ("evaluation", 2),
        *training(3),
        ("evaluation", 3),
        ("end", None),
    ]


def test_metrics_are_those_of_the_documentation(small_run: Make) -> None:
    config = small_run(rounds=2)
    run_federation(config, clients=2)
    rows = metric_rows(config)
    splits = {"base", "new", "local", "harmonic-mean", "client-000", "client-001"}
    for number, metric in ((0, "accuracy"), (0, "zero-shot-accuracy"), (2, "accuracy")):
        assert {s for n, s, m, _ in rows if (n, m) == (number, metric)} == splits
    for number in (1, 2):
        trained = {m for n, s, m, _ in rows if n == number and s == "client-001"}
        assert trained - {"accuracy"} == {
            "train-loss",
            "seconds",
            "num-examples",
            "bytes-up",
            "bytes-down",
            "phase",
            "images-encoded",
            "sentences-encoded",
        }
        totals = {m for n, s, m, _ in rows if n == number and s == "train"}
        assert totals == {
            "loss",
            "seconds",
            "clients",
            "failed-clients",
            "refused-replies",
            "bytes-up",
            "bytes-down",
        }
    assert len({row[:3] for row in rows}) == len(rows), "one value a round, split and metric"
    assert all(math.isfinite(value) for *_, value in rows)


def test_msst_with_a_shard_a_domain(small_run: Make) -> None:
    config = small_run(setting="msst", partition="by-domain", **{"setting.target-domain": "photo"})
    run_federation(config, clients=1)
    final = {s: v for n, s, m, v in metric_rows(config) if (n, m) == (2, "accuracy")}
    assert set(final) == {"source", "target"}


def test_zero_shot_needs_no_rounds(small_run: Make) -> None:
    config = small_run(method="zs-clip")
    grid = run_federation(config, clients=2)
    assert {message.metadata.message_type for message in grid.sent} == {MessageType.QUERY}
    assert status(config)["status"] == "completed"
    rows = {(s, m): v for n, s, m, v in metric_rows(config) if n == 0}
    assert rows["base", "accuracy"] == rows["base", "zero-shot-accuracy"]


def test_a_client_that_fails_now_and_then_does_not_stop_a_run(small_run: Make) -> None:
    config = small_run(rounds=4, **{"method.lora-threshold": 1e9})
    run_federation(config, clients=3, intercept=failing(1, (1, 3)))
    rows = metric_rows(config)
    assert status(config)["status"] == "completed"
    failed = {n: v for n, s, m, v in rows if (s, m) == ("train", "failed-clients")}
    assert failed == {1: 1.0, 2: 0.0, 3: 1.0, 4: 0.0}
    # Its first good round is its first in the full phase, while the others are in the LoRA phase.
    phases = {(n, s): v for n, s, m, v in rows if m == "phase"}
    assert phases[2, "client-001"] == 0.0
    assert phases[2, "client-000"] == 1.0
    assert final_tensors(config)


def test_too_many_failures_end_the_run_and_the_folder_says_why(small_run: Make) -> None:
    config = small_run(rounds=3, min_clients=2)
    with pytest.raises(FedMVPError, match="round 2: 1 of 2 replies are usable"):
        run_federation(config, clients=2, intercept=failing(0, (2,)))
    found = status(config)
    assert (found["status"], found["rounds-completed"]) == ("failed", 1)
    assert "a client failed: CUDA out of memory" in found["error"]
    assert events(config)[-1] == {"event": "end", "status": "failed", "error": found["error"]}


def test_an_unforeseen_error_is_named_in_the_folder(
    small_run: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    from server_app import app

    def broken(*args: object) -> None:
        raise RuntimeError("no such kernel")

    monkeypatch.setattr(app, "load_setting", broken)
    config = small_run()
    with pytest.raises(RuntimeError):
        run_federation(config, clients=2)
    assert status(config)["error"] == "RuntimeError: no such kernel"


def test_a_configuration_that_cannot_work_ends_before_any_training(small_run: Make) -> None:
    config = small_run(clients=5)
    with pytest.raises(ConfigError, match="clients is 5, but there are 2 supernodes"):
        run_federation(config, clients=2)
    assert status(config)["status"] == "failed"
    config = small_run(attention_heads=3)
    with pytest.raises(ConfigError, match="attention-heads is 3"):
        run_federation(config, clients=2)


@pytest.mark.parametrize("partition", ["disjoint-classes", "iid", "dirichlet", "by-domain"])
def test_server_and_clients_agree_on_the_shards(small_run: Make, partition: str) -> None:
    config = small_run(partition=partition, rounds=1, dirichlet_alpha=5.0)
    run_federation(config, clients=2)
    held = json.loads((run_folder(config) / "shards.json").read_text())
    rows = metric_rows(config)
    trained = {s: v for n, s, m, v in rows if m == "num-examples"}
    assert {
        f"client-{shard['partition-id']:03d}": shard["num-examples"] for shard in held
    } == trained
    assert [sum(shard["classes"].values()) for shard in held] == [
        shard["num-examples"] for shard in held
    ]
