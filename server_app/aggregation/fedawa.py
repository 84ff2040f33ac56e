"""FedAWA: Adaptive Weight Aggregation Based on Client Vectors (Shi et al., CVPR 2025).

With tau_k = w_k - w_g, the weights p = softmax(T) minimise

    sum_k p_k (1 - cos(w_k, w_g)) + sum_k p_k ||tau_k - sum_j p_j tau_j||_2

by Adam on T, which starts at the log of the clients' shares of the data and is kept between rounds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from fedmvp_core.aggregation import weighted_mean
from fedmvp_core.config.options import Annotated, Between, option
from server_app.aggregation.updates import Aggregation, AggregationContext, Update


@dataclass(frozen=True)
class FedAWAOptions:
    """The public code's."""

    server_epochs: Annotated[int, Between(1, 1000)] = option(1, "steps of Adam on the weights")
    server_learning_rate: Annotated[float, Between(0)] = option(1e-3, "of those steps")


class FedAWA:
    """The rule; state: T of each client that has been seen, by partition id."""

    def __init__(self, options: FedAWAOptions, context: AggregationContext) -> None:
        self._options, self._context = options, context
        self.state: dict[str, Tensor] = {}

    def __call__(
        self, updates: Sequence[Update], current: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """The mean by the adapted weights, over the tensors that each client sent."""
        shares = torch.tensor([self._context.weight(u) for u in updates], dtype=torch.float64)
        start = (shares / shares.sum()).log()
        kept = [self.state.get(_key(u), value) for u, value in zip(updates, start, strict=True)]
        chosen = torch.stack([value.reshape(()) for value in kept])
        weights = self._adapted(chosen, updates, current)
        self.state |= {_key(u): w.reshape(1) for u, w in zip(updates, weights, strict=True)}
        parts = zip(updates, weights.softmax(dim=0).tolist(), strict=True)
        return weighted_mean((update.tensors, weight) for update, weight in parts)

    def _adapted(
        self, start: Tensor, updates: Sequence[Update], current: Mapping[str, Tensor]
    ) -> Tensor:
        """T after the server's epochs: (updates,)."""
        names = list(current)
        trained = torch.stack([_flat(update.tensors, current, names) for update in updates])
        held = _flat({}, current, names)
        away = 1 - F.cosine_similarity(trained, held[None], dim=1)
        vectors = trained - held
        logits = start.clone().requires_grad_()
        rate = self._options.server_learning_rate
        optimizer = torch.optim.Adam([logits], lr=rate, betas=(0.5, 0.999))
        for _ in range(self._options.server_epochs):
            p = logits.softmax(dim=0)
            spread = (vectors - p @ vectors).norm(dim=1)
            loss = (p * away).sum() + (p * spread).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return logits.detach()


def _key(update: Update) -> str:
    return f"client-{update.partition_id}"


def _flat(
    tensors: Mapping[str, Tensor], current: Mapping[str, Tensor], names: Sequence[str]
) -> Tensor:
    """(d,) float64: all tensors; what a client did not train is as it was."""
    return torch.cat([tensors.get(n, current[n]).double().flatten() for n in names])


fedawa = Aggregation("fedawa", "FedAWA (CVPR 2025)", FedAWA, FedAWAOptions)
