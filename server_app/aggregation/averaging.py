"""Means of all updates: nothing is held back, so one liar can move them anywhere."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from fedmvp_core.aggregation import weighted_mean
from fedmvp_core.config import RunConfig
from server_app.aggregation.updates import Aggregate, Update


def fedavg(config: RunConfig) -> Aggregate:
    """FedAvg (McMahan et al. 2017); `weighting` uniform as FedMVP's code has it, or by examples."""

    def aggregate(updates: Sequence[Update], current: Mapping[str, Tensor]) -> dict[str, Tensor]:
        uniform = config.federation.weighting == "uniform"
        return weighted_mean(
            (u.tensors, 1.0 if uniform else float(u.num_examples)) for u in updates
        )

    return aggregate
