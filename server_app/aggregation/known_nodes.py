"""A grid of nodes that are known beforehand, for strategies that choose among what a grid lists."""

from collections.abc import Iterable, Sequence
from typing import Any

from flwr.app import Message
from flwr.serverapp import Grid
from flwr.supercore.run import Run

FEWEST = 2  # Flower's strategies wait for ever for so many nodes by default
_SPARE = 2**62  # ids of nodes that are listed for that alone


class KnownNodes(Grid):
    """Lists node ids and does nothing else; a strategy is asked whom it would send what."""

    def __init__(self, node_ids: Sequence[int]) -> None:
        self._node_ids = list(node_ids)

    def get_node_ids(self) -> Iterable[int]:
        """At least two, so that a strategy with Flower's defaults goes on."""
        spare = [_SPARE + i for i in range(FEWEST - len(self._node_ids))]
        return [*self._node_ids, *spare]

    def set_run(self, run: Run) -> None:
        raise RuntimeError(_REFUSAL)

    @property
    def run(self) -> Run:
        raise RuntimeError(_REFUSAL)

    def create_message(self, *args: Any, **kwargs: Any) -> Message:
        raise RuntimeError(_REFUSAL)

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        raise RuntimeError(_REFUSAL)

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        raise RuntimeError(_REFUSAL)

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterable[Message]:
        raise RuntimeError(_REFUSAL)


_REFUSAL = "a strategy sends nothing itself here: it returns messages from configure_train"
