"""How much privacy the rounds of a run spend, by Google's dp-accounting (Renyi accountant).

Every round is one Gaussian mechanism; rounds compose. Drawing a part of the clients each round
would spend less if the draw were secret; here it follows from the seed, so nothing is claimed for
it. Flower's accountant stands on the same package and, for this case, gives the same numbers.
"""

from functools import cache

from fedmvp_core.errors import ConfigError


@cache
def epsilon_spent(noise_multiplier: float, releases: int, delta: float) -> float:
    """The epsilon, at delta, of so many Gaussian mechanisms one after another.

    noise_multiplier: standard deviation of the noise over the sensitivity.

    Raises:
        ConfigError: the package dp-accounting is not installed.
    """
    try:
        from dp_accounting import dp_event, rdp
    except ImportError:
        raise ConfigError(
            "privacy needs the package dp-accounting: pip install 'fedmvp[privacy]'"
        ) from None
    if releases == 0:
        return 0.0
    accountant = rdp.RdpAccountant()
    accountant.compose(dp_event.GaussianDpEvent(noise_multiplier), releases)
    return float(accountant.get_epsilon(delta))


def affordable_releases(
    noise_multiplier: float, delta: float, max_epsilon: float, wanted: int
) -> int:
    """How many of the wanted releases stay within max_epsilon; 0 as max_epsilon is no limit.

    Raises:
        ConfigError: the package dp-accounting is not installed.
    """
    if max_epsilon == 0 or epsilon_spent(noise_multiplier, wanted, delta) <= max_epsilon:
        return wanted
    low, high = 0, wanted  # the epsilon of low is within, that of high is not
    while high - low > 1:
        middle = (low + high) // 2
        within = epsilon_spent(noise_multiplier, middle, delta) <= max_epsilon
        low, high = (middle, high) if within else (low, middle)
    return low
