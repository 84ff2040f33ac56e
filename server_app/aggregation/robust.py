"""Flower's robust strategies: what is made of updates of which up to f may be lies.

f is `malicious-share` of a round's updates, rounded down. It is that of the whole round also for a
group of tensors that some of the clients sent, for all liars may be among those.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flwr.serverapp.strategy import FedMedian, FedTrimmedAvg, Krum, MultiKrum

from fedmvp_core.config.options import Annotated, Between, option
from server_app.aggregation.flower_rule import Adjust, Make, flower_rule
from server_app.aggregation.krum import BulyanInParts
from server_app.aggregation.updates import Aggregation


@dataclass(frozen=True)
class RobustOptions:
    """How many liars are withstood."""

    malicious_share: Annotated[float, Between(0, 0.499)] = option(
        0.2, "share of a round's updates that may be lies"
    )


@dataclass(frozen=True)
class MultiKrumOptions(RobustOptions):
    """And how many updates are averaged."""

    selected_clients: Annotated[int, Between(0)] = option(
        0, "updates that are averaged; 0 = all but malicious-share"
    )


def malicious_clients(options: RobustOptions, updates: int) -> int:
    """f: how many of so many updates may come from liars."""
    return math.floor(options.malicious_share * updates + 1e-9)


def _needs(rule: Callable[[int], int]) -> Callable[[Any, int], int]:
    """How many updates a rule needs: rule(f)."""
    return lambda options, updates: rule(malicious_clients(options, updates))


def _tell_liars(strategy: Any, options: RobustOptions, updates: int, senders: int) -> None:
    strategy.num_malicious_nodes = malicious_clients(options, updates)


def _tell_beta(strategy: Any, options: RobustOptions, updates: int, senders: int) -> None:
    # Flower cuts int(beta * n) at either end; the quarter keeps that at f whatever the rounding.
    liars = malicious_clients(options, updates)
    strategy.beta = (liars + 0.25) / senders if liars else 0.0


def _tell_selected(strategy: Any, options: MultiKrumOptions, updates: int, senders: int) -> None:
    liars = malicious_clients(options, updates)
    strategy.num_malicious_nodes = liars
    strategy.num_nodes_to_select = min(options.selected_clients, senders) or senders - liars


def _nothing_to_tell(strategy: Any, options: RobustOptions, updates: int, senders: int) -> None:
    return None


def _robust(
    name: str,
    source: str,
    make: Make,
    adjust: Adjust,
    fewest: Callable[[int], int],
    options: type = RobustOptions,
) -> Aggregation:
    needed = _needs(fewest)
    made = flower_rule(make, adjust, needed, in_parts=True)
    return Aggregation(name, source, made, options, needed)


# Median and trimmed mean: most must be honest. Krum: Blanchard et al. 2017, proposition 1. Bulyan:
# El Mhamdi et al. 2018, section 4.
fedmedian = _robust(
    "fedmedian",
    "the median of each number (Yin et al., ICML 2018)",
    lambda options: FedMedian(),
    _nothing_to_tell,
    lambda f: 2 * f + 1,
)
fedtrimmedavg = _robust(
    "fedtrimmedavg",
    "the mean of each number without the f lowest and the f highest (Yin et al., ICML 2018)",
    lambda options: FedTrimmedAvg(),
    _tell_beta,
    lambda f: 2 * f + 1,
)
krum = _robust(
    "krum",
    "the update nearest to its n - f - 2 nearest others (Blanchard et al., NeurIPS 2017)",
    lambda options: Krum(),
    _tell_liars,
    lambda f: 2 * f + 3,
)
multikrum = _robust(
    "multikrum",
    "the mean of the updates that Krum puts first (Blanchard et al., NeurIPS 2017)",
    lambda options: MultiKrum(),
    _tell_selected,
    lambda f: 2 * f + 3,
    MultiKrumOptions,
)
# Flower takes the n - 2f at once, where the paper takes them one by one.
bulyan = _robust(
    "bulyan",
    "of the n - 2f that Krum puts first, the n - 4f nearest to the median of each number "
    "(El Mhamdi et al., ICML 2018)",
    lambda options: BulyanInParts(num_malicious_nodes=0),
    _tell_liars,
    lambda f: 4 * f + 3,
)
