"""Krum's distances and Bulyan, from updates that are read piece by piece.

Flower's own functions choose and average; they are given no more of the updates at a time than they
need, so that the server's memory does not grow with the cohort.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from flwr.app import Array, ArrayRecord, Message, MetricRecord
from flwr.serverapp.strategy import Bulyan, bulyan, multikrum
from numpy.typing import NDArray

from fedmvp_core import protocol


def squared_distances(records: Sequence[ArrayRecord]) -> NDArray[np.float64]:
    """(n, n): squared L2 distances between n updates, added up over their arrays.

    Flower's formula, ||x||^2 + ||y||^2 - 2 x.y, for which it holds all updates twice.
    """
    found = np.zeros((len(records), len(records)))
    for key in records[0]:
        rows = np.stack([np.asarray(record[key].numpy()).ravel() for record in records])
        lengths = np.square(rows).sum(axis=1)
        found += lengths[:, None] + lengths[None, :] - 2 * rows @ rows.T
    return found


@contextmanager
def distances_in_parts() -> Iterator[None]:
    """Flower's Krum, Multi-Krum and Bulyan take `squared_distances` meanwhile."""
    whole = multikrum.compute_distances
    multikrum.compute_distances = squared_distances
    try:
        yield
    finally:
        multikrum.compute_distances = whole


class BulyanInParts(Bulyan):
    """Flower's Bulyan, which looks at one array of the chosen updates after the other."""

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """As Flower's: choose n - 2f by Krum, then average each number's n - 4f nearest."""
        contents = [reply.content for reply in replies]
        theta = len(contents) - 2 * self.num_malicious_nodes
        chosen = self.selection_rule(contents, self.num_malicious_nodes, theta)
        records = [content.array_records[protocol.PROMPTS] for content in chosen]
        arrays = ArrayRecord()
        for key in records[0]:
            numbers = [record[key].numpy() for record in records]
            near = bulyan.aggregate_n_closest_weights(
                [np.median(numbers, axis=0)],
                [[one] for one in numbers],
                theta - 2 * self.num_malicious_nodes,
            )
            arrays[key] = Array(np.asarray(near[0]))
        return arrays, None
