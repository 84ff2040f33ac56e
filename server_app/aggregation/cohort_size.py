"""How many updates a robust strategy needs for the share of liars that it is to withstand."""

import math
from collections.abc import Callable, Mapping

from fedmvp_core.config import RunConfig
from fedmvp_core.errors import ConfigError

# The fewest updates with which a rule withstands f liars. Krum: Blanchard et al. 2017, proposition
# 1. Bulyan: El Mhamdi et al. 2018, section 4. Median and trimmed mean: most must be honest.
FEWEST: Mapping[str, Callable[[int], int]] = {
    "fedmedian": lambda f: 2 * f + 1,
    "fedtrimmedavg": lambda f: 2 * f + 1,
    "krum": lambda f: 2 * f + 3,
    "multikrum": lambda f: 2 * f + 3,
    "bulyan": lambda f: 4 * f + 3,
}


def malicious_clients(config: RunConfig, updates: int) -> int:
    """f: how many of so many updates may come from liars, malicious-share rounded down."""
    return math.floor(config.federation.malicious_share * updates + 1e-9)


def fewest_updates(config: RunConfig, updates: int) -> int:
    """How many updates the run's strategy needs, of so many in a round; 1 of one that needs none.

    Strategies of other packages say so themselves, with TooFewUpdatesError.
    """
    rule = FEWEST.get(config.federation.strategy)
    return 1 if rule is None else rule(malicious_clients(config, updates))


def check_cohort(config: RunConfig, cohort: int) -> None:
    """Whether the strategy can work at all when a whole cohort replies.

    Raises:
        ConfigError: the cohort is too small for malicious-share.
    """
    needed = fewest_updates(config, cohort)
    if cohort < needed:
        raise ConfigError(
            f"strategy is '{config.federation.strategy}', which needs {needed} clients a round to withstand "
            f"{malicious_clients(config, cohort)} (malicious-share {config.federation.malicious_share:g}), "
            f"but a round has {cohort}; allowed: more clients, or a lower malicious-share"
        )
