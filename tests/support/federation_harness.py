"""A whole federation in one process: the real apps, and a grid that calls the clients in turn.

Nothing of Flower's engine is needed, so a run with a few small pictures takes seconds, its clients
can be made to fail, and the order of messages is the test's to choose.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from flwr.app import Message
from safetensors.torch import load_file
from torch import Tensor

from client_app.worker import forget as forget_worker
from fedmvp_core import run_folder as run_folders
from fedmvp_core.config import RunConfig
from simulations.runner.inline import (
    FIRST_NODE,
    InlineGrid,
    client_context,
    error_reply,
    play,
    set_identity,
)

__all__ = [
    "FIRST_NODE",
    "SerialGrid",
    "client_context",
    "error_reply",
    "final_tensors",
    "forget_worker",
    "metric_rows",
    "run_federation",
    "run_folder",
    "set_identity",
]

Intercept = Callable[[Message, int], Message | None]


class SerialGrid(InlineGrid):
    """The inline engine's grid, whose clients and messages are the test's to choose.

    order: the order in which the messages of a round are answered. intercept: called with each
    message and its partition id; what it returns is the reply, None lets the client answer.
    fresh_processes: every message meets a client process without anything in memory.
    """

    def __init__(
        self,
        config: RunConfig,
        clients: int,
        order: Callable[[Sequence[Message]], Sequence[Message]] = tuple,
        intercept: Intercept = lambda message, partition_id: None,
        fresh_processes: bool = False,
    ) -> None:
        super().__init__(config, clients)
        self.config, self.order, self.intercept = config, order, intercept
        self.fresh_processes = fresh_processes
        self.replies: list[Message] = []
        self.sent: list[Message] = []

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        arrived = list(messages)
        self.sent += arrived
        return super().push_messages(arrived)

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterable[Message]:
        arrived = list(messages)
        self.sent += arrived
        return super().send_and_receive(arrived, timeout=timeout)

    def answer_all(self, messages: Sequence[Message]) -> list[Message]:
        replies = list(super().answer_all(self.order(messages)))
        self.replies += replies
        return replies

    def answer(self, message: Message) -> Message:
        replaced = self.intercept(message, message.metadata.dst_node_id - FIRST_NODE)
        if replaced is not None:
            return replaced
        if self.fresh_processes:
            forget_worker()
        return super().answer(message)


def run_federation(config: RunConfig, clients: int, **grid_options: Any) -> SerialGrid:
    """Run the ServerApp against `clients` serial clients; the run folder is what it leaves."""
    forget_worker()
    set_identity()
    grid = SerialGrid(config, clients, **grid_options)
    play(config, grid)
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
