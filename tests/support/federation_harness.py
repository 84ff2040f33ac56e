"""A whole federation in one process: the real apps, and a grid that calls the clients in turn.

Nothing of Flower's engine is needed, so a run with a few small pictures takes seconds, its clients
can be made to fail, and the order of messages is the test's to choose.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flwr.app import Context, Error, Message, RecordDict
from flwr.serverapp import Grid
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity
from safetensors.torch import load_file
from torch import Tensor

from client_app import worker
from client_app.app import app as client_app
from fedmvp_core import run_folder as run_folders
from fedmvp_core.config import RunConfig
from server_app.app import main

CLIENT_FAILED = 2  # Flower's error code for an exception in a ClientApp
FIRST_NODE = 1000  # node ids are no partition ids

Intercept = Callable[[Message, int], Message | None]


def set_identity() -> None:
    """What Flower sets in every app process; without it no Message can be built."""
    TaskIdentity.run_id, TaskIdentity.task_id, TaskIdentity.node_id = 1, 1, 1


def forget_worker() -> None:
    """Empty what a client process keeps between messages, as if it had been started afresh."""
    for cached in (
        worker.backbone_for,
        worker.feature_cache,
        worker._untrained,
        worker._setting,
        worker._shards,
        worker.prepared_shard,
    ):
        cached.cache_clear()


def client_context(config: RunConfig, partition_id: int, clients: int) -> Context:
    """A new supernode's context."""
    return Context(
        run_id=1,
        node_id=FIRST_NODE + partition_id,
        node_config={"partition-id": partition_id, "num-partitions": clients},
        state=RecordDict(),
        run_config=dict(config.as_mapping()),
    )


@dataclass
class SerialGrid(Grid):
    """Plays every supernode in this process.

    order: the order in which the messages of a round are answered. intercept: called with each
    message and its partition id; what it returns is the reply, None lets the client answer.
    fresh_processes: every message meets a client process without anything in memory.
    """

    config: RunConfig
    clients: int
    order: Callable[[Sequence[Message]], Sequence[Message]] = tuple
    intercept: Intercept = lambda message, partition_id: None
    fresh_processes: bool = False
    replies: list[Message] = field(default_factory=list)
    sent: list[Message] = field(default_factory=list)
    unanswered: dict[str, Message] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.contexts = {
            FIRST_NODE + i: client_context(self.config, i, self.clients)
            for i in range(self.clients)
        }

    def get_node_ids(self) -> Iterable[int]:
        return list(self.contexts)

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterable[Message]:
        arrived = list(messages)
        self.sent += arrived
        replies = [self._answer(message) for message in self.order(arrived)]
        self.replies += replies
        return replies

    def _answer(self, message: Message) -> Message:
        context = self.contexts[message.metadata.dst_node_id]
        replaced = self.intercept(message, message.metadata.dst_node_id - FIRST_NODE)
        if replaced is not None:
            return replaced
        if self.fresh_processes:
            forget_worker()
        try:
            return client_app(message, context)
        except Exception as error:  # as Flower does
            return error_reply(message, str(error))

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        pushed = []
        for message in messages:
            message_id = f"message-{len(self.sent)}"
            message.metadata.__dict__["_message_id"] = message_id  # as Flower's grids do
            self.sent.append(message)
            self.unanswered[message_id] = message
            pushed.append(message_id)
        return pushed

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        arrived = [self.unanswered.pop(i) for i in message_ids if i in self.unanswered]
        replies = [self._answer(message) for message in self.order(arrived)]
        self.replies += replies
        return replies

    # --- the rest of Grid's face, which the apps do not use

    def set_run(self, run: Run) -> None:
        raise NotImplementedError

    @property
    def run(self) -> Run:
        raise NotImplementedError

    def create_message(self, *args: Any, **kwargs: Any) -> Message:
        raise NotImplementedError


def error_reply(message: Message, reason: str) -> Message:
    """What Flower sends when a client raised."""
    return Message(Error(code=CLIENT_FAILED, reason=reason), reply_to=message)


def run_federation(config: RunConfig, clients: int, **grid_options: Any) -> SerialGrid:
    """Run the ServerApp against `clients` serial clients; the run folder is what it leaves."""
    set_identity()
    forget_worker()
    grid = SerialGrid(config, clients, **grid_options)
    context = Context(
        run_id=1,
        node_id=1,
        node_config={},
        state=RecordDict(),
        run_config=dict(config.as_mapping()),
    )
    main(grid, context)
    return grid


def run_folder(config: RunConfig) -> Path:
    """The folder that a run of this configuration leaves."""
    return run_folders.run_folder(config.run)


def final_tensors(config: RunConfig) -> dict[str, Tensor]:
    """The prompt tensors of the last round of a run, without what its aggregation keeps."""
    folder = run_folder(config) / "checkpoints"
    tensors = load_file(folder / f"round-{config.federation.rounds:04d}.safetensors")
    return {n: t for n, t in tensors.items() if not n.startswith("strategy-state/")}


def metric_rows(config: RunConfig) -> list[tuple[int, str, str, float]]:
    """(round, split, metric, value) of a run."""
    return run_folders.read_metrics(run_folder(config) / run_folders.METRICS)
