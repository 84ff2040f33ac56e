"""clients-per-batch: clients that train at once end as they do one after the other.

`server_app/test_every_method.py` shows it of every method.
"""

import threading
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from federation_harness import (
    SerialGrid,
    final_tensors,
    metric_rows,
    run_federation,
    run_folder,
)
from flwr.app import Message, MessageType, RecordDict
from method_checks import far_apart
from plugins import install
from torch import Tensor

from fedmvp_core import protocol
from fedmvp_core.config import RunConfig
from fedmvp_core.errors import ConfigError, FedMVPError
from fedmvp_core.local.model import LocalModel
from fedmvp_core.objectives import Batch, Loss, Objective
from fedmvp_core.prompting import Features
from fedmvp_core.registry import OBJECTIVES
from fedmvp_core.run_folder import read_status
from server_app.cohort.arriving import ArrivingGrid
from simulations.runner.inline import batches, play, run_inline
from simulations.runner.named_runs import NamedRun
from simulations.runner.planning import INLINE, RAY, plan_run

Make = Callable[..., RunConfig]
CLIENTS = 3
RUNS: Mapping[str, Mapping[str, Any]] = {
    # Other numbers of images, steps and classes, and an attack among them.
    "unequal": {"method": "capt", "partition": "dirichlet", "batch_size": 4, "attack_steps": 1},
    # Two phases, SGD's buffers kept, two of three clients a round.
    "phases": {
        "method_options": "lora-threshold=1e9 lora-init=normal",
        "rounds": 3,
        "keep_momentum": True,
        "fraction_train": 0.7,
    },
    # Tensors that stay with the clients, which are measured with them.
    "personal": {"method": "fedpgp", "fraction_evaluate": 1.0, "partition": "iid"},
    "private": {"method": "promptfl", "privacy": "local", "dp_noise": "seeded"},
    "proximal": {"method": "fedvpt", "aggregation": "scaffold", "partition": "iid"},
    "crops": {"augmentation": "crops", "partition": "iid", "batch_size": 4},
}


def both(make: Make, **keys: Any) -> tuple[SerialGrid, SerialGrid, RunConfig, RunConfig]:
    """The same federation with clients one after the other, and all at once."""
    few = {"local_epochs": 1, "shots": 3, "robust_attack": "none"}
    serial = make(**{**few, **keys}, run_name="serial")
    batched = serial.with_values(
        run_name="batched",
        clients_per_batch=CLIENTS,
        cache_dir=f"{serial.run.cache_dir}-of-batched",
    )
    return run_federation(serial, CLIENTS), run_federation(batched, CLIENTS), serial, batched


def reported(grid: SerialGrid) -> list[dict[str, Any]]:
    """What the replies to training say, but for their seconds."""
    return [
        {k: v for k, v in r.content.metric_records[protocol.METRICS].items() if k != "seconds"}
        for r in grid.replies
        if r.metadata.message_type == MessageType.TRAIN
    ]


@pytest.mark.parametrize("name", RUNS)
def test_a_run_ends_as_one_after_the_other(small_run: Make, name: str) -> None:
    alone, together, serial, batched = both(small_run, **RUNS[name])
    assert far_apart(final_tensors(serial), final_tensors(batched)) < 1e-5
    one, other = reported(alone), reported(together)
    assert len(one) == len(other) > 0
    for mine, theirs in zip(one, other, strict=True):
        assert theirs.keys() == mine.keys()
        assert all(theirs[k] == pytest.approx(mine[k], rel=1e-4, abs=1e-5) for k in mine)
    rows = metric_rows(serial)
    assert [row[:3] for row in metric_rows(batched)] == [row[:3] for row in rows]


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException, calls: int) -> list[int]:
    """Client 1 raises when it looks at images for the so-many-th time; -> how often it has."""
    seen, predict = [0], LocalModel.predict

    def predict_or_fail(model: LocalModel, images: Tensor) -> tuple[Features, Tensor]:
        seen[0] += model.shard.partition_id == 1
        if model.shard.partition_id == 1 and seen[0] == calls:
            raise error
        return predict(model, images)

    monkeypatch.setattr(LocalModel, "predict", predict_or_fail)
    return seen


@pytest.mark.parametrize("call", [1, 2])
def test_a_client_that_fails_leaves_the_others(
    small_run: Make, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    keys = {"method": "capt", "partition": "iid", "batch_size": 4, "rounds": 1}
    results = []
    for at_once in (1, CLIENTS):
        config = small_run(run_name=f"{at_once}", clients_per_batch=at_once, **keys)
        with monkeypatch.context() as patched:
            failing(patched, FedMVPError("no more"), call)
            grid = run_federation(config, CLIENTS)
        told = [reply.error.reason for reply in grid.replies if reply.has_error()]
        assert told == ["no more"]
        results.append(final_tensors(config))
    assert far_apart(*results) < 1e-5


def test_an_interrupted_run_ends_its_clients_and_goes_on_to_the_same_bits(
    small_run: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = {"clients_per_batch": 2, "partition": "iid", "method": "promptfl", "batch_size": 4}
    undisturbed = small_run(run_name="undisturbed", **keys)
    with monkeypatch.context() as patched:
        looks = failing(patched, KeyboardInterrupt(), 0)
        run_inline(undisturbed, CLIENTS, lambda event: None)
    config, threads = small_run(**keys), threading.active_count()
    with monkeypatch.context() as patched:
        failing(patched, KeyboardInterrupt(), looks[0])  # in the last step of the last round
        outcome = run_inline(config, CLIENTS, lambda event: None)
    assert (outcome.status, outcome.rounds_completed) == ("interrupted", 1)
    assert threading.active_count() == threads
    run_inline(config.with_values(resume="latest"), CLIENTS, lambda event: None)
    expected = final_tensors(undisturbed)
    assert all(torch.equal(value, expected[n]) for n, value in final_tensors(config).items())


def own_gradient(options: Any) -> Callable[[LocalModel, Batch], Loss]:
    """An objective that takes a gradient by itself."""

    def loss(model: LocalModel, batch: Batch) -> Loss:
        _, logits = model.predict(batch.images)
        value = model.classification_loss(logits, batch.labels)
        tensors = list(model.trained().values())
        torch.autograd.grad(value, tensors, retain_graph=True)
        return Loss(value, {})

    return loss


def planned(make: Make, engine: str = INLINE, **keys: Any) -> RunConfig:
    values = {k: v for k, v in make().as_mapping().items() if v is not None}
    overrides = values | {key.replace("_", "-"): value for key, value in keys.items()}
    return plan_run(NamedRun("small", "", 3, {}), overrides, CLIENTS, engine=engine).config


def test_what_cannot_share_a_batch_is_refused_before_the_run(
    small_run: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(
        monkeypatch, OBJECTIVES, "own-gradient", Objective("own-gradient", "a test", own_gradient)
    )
    assert planned(small_run, method="promptfl", objective="own-gradient")
    with pytest.raises(ConfigError, match="'promptfl' with objective 'own-gradient' cannot share"):
        planned(small_run, method="promptfl", objective="own-gradient", clients_per_batch=2)
    assert planned(small_run, method="fedmvp-capt", clients_per_batch=2)
    assert planned(small_run, method="hep", clients_per_batch=2)  # trains nothing


def test_engines_of_other_processes_are_refused(small_run: Make) -> None:
    with pytest.raises(ConfigError, match=r"clients-per-batch is 2.* --engine inline"):
        planned(small_run, RAY, clients_per_batch=2)
    config = small_run(clients_per_batch=2)
    with pytest.raises(ConfigError, match="clients-per-batch is 2"):
        play(config, ArrivingGrid(SerialGrid(config, CLIENTS)))  # as `flwr run` has it
    assert read_status(run_folder(config))["status"] == "failed"


def test_only_messages_to_train_of_other_clients_share_a_batch() -> None:
    def message(node: int, kind: str = MessageType.TRAIN) -> Message:
        return Message(RecordDict(), dst_node_id=node, message_type=kind)

    sent = [message(n) for n in (1, 2, 3, 1, 1)] + [message(4, MessageType.QUERY), message(5)]
    found = [[m.metadata.dst_node_id for m in batch] for batch in batches(sent, 2)]
    assert found == [[1, 2], [3, 1], [1], [4], [5]]
    assert [len(batch) for batch in batches(sent, 1)] == [1] * 7
