"""A Flower strategy with momentum, which it keeps in an attribute."""

from collections.abc import Iterable

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord
from flwr.serverapp import Grid
from flwr.serverapp.strategy import FedAvg


class Heavy(FedAvg):
    """The global tensors go on in the direction of earlier rounds."""

    def __init__(self, momentum: float = 0.9) -> None:
        super().__init__()
        self.momentum = momentum
        self.current = ArrayRecord()
        self.velocity: dict[str, np.ndarray] = {}

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        self.current = arrays
        return super().configure_train(server_round, arrays, config, grid)

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        mean, metrics = super().aggregate_train(server_round, replies)
        if mean is None:
            return None, metrics
        moved = {}
        for name, array in mean.items():
            old = self.current[name].numpy()
            step = array.numpy() - old
            self.velocity[name] = self.momentum * self.velocity.get(name, 0 * step) + step
            moved[name] = Array(np.asarray(old + self.velocity[name]))
        return ArrayRecord(moved), metrics
