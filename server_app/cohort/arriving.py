"""Replies as they arrive: each can be checked and let go before the next one is fetched.

Flower's own `send_and_receive` returns when the last reply is in, and holds them all until then.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from flwr.app import Message
from flwr.serverapp import Grid
from flwr.supercore.run import Run
from flwr.superlink.grid import HttpGrid, InMemoryGrid

AT_ONCE = 4  # messages whose replies are fetched together
PAUSE_SECONDS = 0.2  # after a look at all of them that found none


def arriving(grid: Grid) -> Grid:
    """The grid, if it is Flower's own, with replies that arrive one after the other."""
    return ArrivingGrid(grid) if isinstance(grid, HttpGrid | InMemoryGrid) else grid


class ArrivingGrid(Grid):
    """Flower's own grid, to other processes; replies can be gone through while they arrive."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterator[Message]:
        """The messages are sent at once; after `timeout` seconds no more replies are waited for."""
        waiting = [i for i in self._grid.push_messages(messages) if i is not None]
        return self._replies(waiting, None if timeout is None else time.monotonic() + timeout)

    def _replies(self, waiting: Sequence[str], end: float | None) -> Iterator[Message]:
        while waiting:
            last = end is not None and time.monotonic() >= end
            answered: set[str] = set()
            for start in range(0, len(waiting), AT_ONCE):
                for reply in self._grid.pull_messages(waiting[start : start + AT_ONCE]):
                    answered.add(reply.metadata.reply_to_message_id)
                    yield reply
            waiting = [i for i in waiting if i not in answered]
            if last:
                return
            if not answered:
                time.sleep(PAUSE_SECONDS)

    # --- the rest is the other grid's

    def get_node_ids(self) -> Iterable[int]:
        return self._grid.get_node_ids()

    def get_nodes(self) -> Iterable[Any]:
        return self._grid.get_nodes()

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        return self._grid.push_messages(messages)

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        return self._grid.pull_messages(message_ids)

    def set_run(self, run: Run) -> None:
        self._grid.set_run(run)

    @property
    def run(self) -> Run:
        return self._grid.run

    def create_message(self, *args: Any, **kwargs: Any) -> Message:
        return self._grid.create_message(*args, **kwargs)
