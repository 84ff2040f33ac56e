"""A whole run in which a supernode is started again, and one whose sites have data of their own."""

import json
from collections.abc import Callable, Iterable
from typing import Any

from federation_harness import (
    FIRST_NODE,
    SerialGrid,
    client_context,
    final_tensors,
    forget_worker,
    metric_rows,
    run_federation,
    run_folder,
)
from flwr.app import Context, Message, MessageType, RecordDict

from fedmvp_core.config import RunConfig
from fedmvp_core.data.imagefolder import load
from server_app.app import main

BACK = 5


class RestartingGrid(SerialGrid):
    """After the first round client 1 is gone, and there is a new supernode with its shard."""

    restarted = False

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterable[Message]:
        arrived = list(messages)
        replies = super().send_and_receive(arrived, timeout=timeout)
        trained = any(m.metadata.message_type == MessageType.TRAIN for m in arrived)
        if trained and not self.restarted:
            self.restarted = True
            del self.contexts[FIRST_NODE + 1]
            self.contexts[BACK] = client_context(self.config, 1, self.clients)
        return replies


def play(grid: SerialGrid) -> None:
    state: dict[str, Any] = {"node_config": {}, "state": RecordDict()}
    forget_worker()
    config = dict(grid.config.as_mapping())
    main(grid, Context(run_id=1, node_id=1, run_config=config, **state))


def test_a_supernode_that_is_started_again_changes_nothing(
    small_run: Callable[..., RunConfig],
) -> None:
    steady, restarted = (small_run(run_name=name) for name in ("steady", "restarted"))
    run_federation(steady, 2)
    grid = RestartingGrid(restarted, 2)
    play(grid)
    failed = [row for row in metric_rows(restarted) if row[2] == "failed-clients"]
    assert [row[3] for row in failed] == [0.0, 0.0]
    trained = [
        m.metadata.dst_node_id for m in grid.sent if m.metadata.message_type == MessageType.TRAIN
    ]
    assert trained == [FIRST_NODE, FIRST_NODE + 1, FIRST_NODE, BACK]
    before, after = final_tensors(steady), final_tensors(restarted)
    assert all(before[name].equal(after[name]) for name in before)


class LateGrid(SerialGrid):
    """Client 1 is there once the first round has been trained."""

    def get_node_ids(self) -> Iterable[int]:
        trained = any(m.metadata.message_type == MessageType.TRAIN for m in self.sent)
        return [node for node in self.contexts if trained or node != FIRST_NODE + 1]


def test_a_supernode_that_comes_late_takes_part_from_the_next_round(
    small_run: Callable[..., RunConfig],
) -> None:
    config = small_run(rounds=3, start_clients=1, node_timeout=1)
    run_federation(small_run(run_name="early"), 2)  # makes the shards: the clock is then fair
    grid = LateGrid(config, 2)
    play(grid)
    rows = metric_rows(config)
    assert [row[3] for row in rows if row[2] == "clients"] == [1.0, 2.0, 2.0]
    assert [row[3] for row in rows if row[2] == "refused-replies"] == [0.0, 0.0, 0.0]
    joined = [row for row in rows if row[1] == "client-001" and row[2] == "bytes-down"]
    assert [row[0] for row in joined] == [2, 3]
    shards = json.loads((run_folder(config) / "shards.json").read_text())
    assert [shard["partition-id"] for shard in shards] == [0, 1]


def test_sites_with_data_of_their_own_train_and_are_tested_on_their_classes(
    small_run: Callable[..., RunConfig],
) -> None:
    config = small_run(partition="own", clients=2)
    base = load(config.data, config.run, 16).class_names
    half = base[: (len(base) + 1) // 2]
    grid = SerialGrid(config, 2)
    for number, context in zip((8, 3), grid.contexts.values(), strict=True):
        context.node_config.clear()
        classes = half[:1] if number == 8 else ",".join(half)
        words = classes if isinstance(classes, str) else classes[0]
        context.node_config.update({"partition-id": number, "classes": words})
    play(grid)
    assert json.loads((run_folder(config) / "status.json").read_text())["status"] == "completed"
    shards = json.loads((run_folder(config) / "shards.json").read_text())
    assert [shard["partition-id"] for shard in shards] == [3, 8]
    assert list(shards[1]["classes"]) == [half[0]]
    splits = {split for _, split, metric, _ in metric_rows(config) if metric == "accuracy"}
    assert {"client-003", "client-008", "base", "new"} <= splits
