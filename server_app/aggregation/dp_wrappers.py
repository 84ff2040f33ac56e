"""Flower's differential privacy wrappers around FedAvg: updates are clipped, their mean is noised.

Flower's noise comes from NumPy's global generator, seeded here so that runs are repeatable: these
serve studies and protect nobody. `privacy=central` draws from the operating system, bounds what one
client's weight and phase tell, and counts what is spent (docs/security.md).
"""

import math
from dataclasses import dataclass
from typing import Any

from flwr.serverapp.strategy import (
    DifferentialPrivacyServerSideAdaptiveClipping,
    DifferentialPrivacyServerSideFixedClipping,
    FedAvg,
)

from fedmvp_core.config.options import Annotated, Between, option
from server_app.aggregation.flower_rule import flower_rule
from server_app.aggregation.updates import Aggregation

_ANY = 1  # of clients in a cohort, until a round tells


@dataclass(frozen=True)
class FixedClippingOptions:
    """Noise and norm."""

    noise_multiplier: Annotated[float, Between(0)] = option(1.0, "standard deviation over the norm")
    clipping_norm: Annotated[float, Between(1e-6)] = option(0.5, "L2 norm of an update at most")


@dataclass(frozen=True)
class AdaptiveClippingOptions:
    """Noise, and how the norm follows the updates."""

    noise_multiplier: Annotated[float, Between(0)] = option(1.0, "standard deviation over the norm")
    initial_clipping_norm: Annotated[float, Between(1e-6)] = option(0.1, "of the first round")
    target_clipped_quantile: Annotated[float, Between(0, 1)] = option(
        0.5, "of updates to be clipped"
    )
    clip_norm_lr: Annotated[float, Between(1e-6)] = option(0.2, "how fast the norm follows")


def _tell_cohort(strategy: Any, options: Any, updates: int, senders: int) -> None:
    strategy.num_sampled_clients = senders


dp_fixed_clipping = Aggregation(
    "dp-fixed-clipping",
    "DP-FedAvg with fixed clipping (McMahan et al., ICLR 2018)",
    flower_rule(
        lambda o: DifferentialPrivacyServerSideFixedClipping(
            FedAvg(), o.noise_multiplier, o.clipping_norm, _ANY
        ),
        _tell_cohort,
    ),
    FixedClippingOptions,
)


class AdaptiveClipping(DifferentialPrivacyServerSideAdaptiveClipping):
    """Flower's wrapper with a norm that follows the updates.

    Flower's own shrinks its norm where too many updates are clipped, so that it ends at 0.
    """

    def _geometric_update(self, clipped_fraction: float) -> None:
        super()._geometric_update(2 * self.target_clipped_quantile - clipped_fraction)


def _fewest_adaptive(options: AdaptiveClippingOptions, updates: int) -> int:
    """More than ten times the noise multiplier, or the count of clipped updates costs too much."""
    return math.floor(10 * options.noise_multiplier + 1e-9) + 1 if options.noise_multiplier else 1


def _tell_noise(
    strategy: Any, options: AdaptiveClippingOptions, updates: int, senders: int
) -> None:
    """Theorem 1 of Andrew et al.: noise on the count of clipped updates, the rest on their mean."""
    strategy.num_sampled_clients = senders
    if options.noise_multiplier:
        count = senders / 20
        strategy.clipped_count_stddev = count
        strategy.noise_multiplier = (options.noise_multiplier**-2 - (2 * count) ** -2) ** -0.5


dp_adaptive_clipping = Aggregation(
    "dp-adaptive-clipping",
    "DP-FedAvg with adaptive clipping (Andrew et al., NeurIPS 2021)",
    flower_rule(
        lambda o: AdaptiveClipping(
            FedAvg(),
            0.0,  # until a round tells how many clients there are
            _ANY,
            initial_clipping_norm=o.initial_clipping_norm,
            target_clipped_quantile=o.target_clipped_quantile,
            clip_norm_lr=o.clip_norm_lr,
        ),
        _tell_noise,
        _fewest_adaptive,
    ),
    AdaptiveClippingOptions,
    _fewest_adaptive,
)
