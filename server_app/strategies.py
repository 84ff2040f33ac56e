"""Ways to make one set of prompt tensors out of many; found by name through entry points.

A strategy is a function from the run's configuration to an aggregation rule; messages, checks and
rounds are the same for all of them and stand in federation.py.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from torch import Tensor

from fedmvp_core.aggregation import weighted_mean
from fedmvp_core.config import RunConfig


@dataclass(frozen=True)
class Update:
    """A checked reply: the tensors of the client's phase, and how many images it trained on."""

    partition_id: int
    tensors: Mapping[str, Tensor]
    num_examples: int


# Updates in the order of partition ids, and the current prompt tensors, to the tensors that change.
Aggregate: TypeAlias = Callable[[Sequence[Update], Mapping[str, Tensor]], dict[str, Tensor]]


def fedavg(config: RunConfig) -> Aggregate:
    """FedAvg (McMahan et al. 2017); `weighting` uniform as FedMVP's code has it, or by examples."""

    def aggregate(updates: Sequence[Update], current: Mapping[str, Tensor]) -> dict[str, Tensor]:
        uniform = config.weighting == "uniform"
        return weighted_mean(
            (u.tensors, 1.0 if uniform else float(u.num_examples)) for u in updates
        )

    return aggregate
