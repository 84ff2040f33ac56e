"""FedProx: Federated Optimization in Heterogeneous Networks (Li et al., MLSys 2020).

mu / 2 * ||w - w_received||^2 over the prompt tensors that are trained holds a client near the
tensors that it received.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from fedmvp_core.config.options import Annotated, Between, option
from fedmvp_core.local.model import LocalModel
from fedmvp_core.terms.term import ClientTerm


@dataclass(frozen=True)
class FedProxOptions:
    """0 is FedAvg."""

    mu: Annotated[float, Between(0)] = option(0.01, "weight of the squared distance, halved")


def penalty(options: FedProxOptions, model: LocalModel) -> Tensor:
    """mu / 2 times the squared distance: a scalar. Personal tensors were not received."""
    trained, received = model.trained(), model.received
    moved = [(trained[n] - received[n]).square().sum() for n in trained if n in received]
    if not moved:  # every trained tensor is personal
        return model.classes.new_zeros(())
    return options.mu / 2 * torch.stack(moved).sum()


term = ClientTerm("fedprox", "FedProx (MLSys 2020)", penalty, FedProxOptions)
