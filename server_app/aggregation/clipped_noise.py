"""Norm clipping with a little noise: Can You Really Backdoor Federated Learning? (Sun et al., 2019)

Sections 4.1 and 4.2: updates are clipped to a norm, and their mean gets Gaussian noise, far less
than privacy would ask for. The paper's norm is fixed; where it is not given here, it is the median
of the round's, which liars in the minority cannot set. Flower's wrapper clips and adds the noise,
as in `dp_wrappers`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from flwr.app import ArrayRecord, Message, MetricRecord
from flwr.serverapp.strategy import DifferentialPrivacyServerSideFixedClipping, FedAvg

from fedmvp_core import protocol
from fedmvp_core.config.options import Annotated, Between, option
from server_app.aggregation.flower_rule import NO_LENGTH, flower_rule
from server_app.aggregation.updates import Aggregation


@dataclass(frozen=True)
class ClippedNoiseOptions:
    """Norm and noise."""

    clipping_norm: Annotated[float, Between(0)] = option(
        0.0, "L2 norm of an update at most; 0 = the median of the round's"
    )
    noise_multiplier: Annotated[float, Between(0)] = option(
        0.05, "standard deviation over the norm, before it is divided by the clients"
    )


class MedianClipping(DifferentialPrivacyServerSideFixedClipping):
    """Flower's wrapper with a norm that is the median of each round's."""

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """As Flower's, once the norms are known."""
        arrived = list(replies)
        norms = [_norm(reply.content.array_records[protocol.PROMPTS]) for reply in arrived]
        self.clipping_norm = max(float(np.median(norms)), NO_LENGTH)
        return super().aggregate_train(server_round, arrived)


def _norm(record: ArrayRecord) -> float:
    return float(np.sqrt(sum(np.square(array.numpy()).sum() for array in record.values())))


def _made(options: ClippedNoiseOptions) -> DifferentialPrivacyServerSideFixedClipping:
    if options.clipping_norm == 0:
        return MedianClipping(FedAvg(), options.noise_multiplier, 1.0, 1)
    return DifferentialPrivacyServerSideFixedClipping(
        FedAvg(), options.noise_multiplier, options.clipping_norm, 1
    )


def _tell_cohort(strategy: Any, options: Any, updates: int, senders: int) -> None:
    strategy.num_sampled_clients = senders


clipped_noise = Aggregation(
    "clipped-noise",
    "norm clipping with weak noise (Sun et al., 2019)",
    flower_rule(_made, _tell_cohort),
    ClippedNoiseOptions,
)
