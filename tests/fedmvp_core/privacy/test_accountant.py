"""The epsilon that is told, against closed forms, other accountants and simulated mechanisms."""

import math
import sys

import pytest
from dp_accounting import dp_event, pld
from flwr.serverapp import RdpAccountant
from flwr.supercore.privacy_accounting import (
    GaussianPrivacyEvent,
    NeighboringRelation,
    PrivacyConfig,
    SamplingMethod,
)
from scipy.optimize import brentq
from scipy.stats import norm

from fedmvp_core.errors import ConfigError
from fedmvp_core.privacy import affordable_releases, epsilon_spent

DELTA = 1e-5
CASES = [(0.7, 1), (1.0, 1), (1.0, 10), (2.0, 10), (4.0, 20), (8.0, 200)]


def exact_epsilon(noise_multiplier: float, releases: int, delta: float) -> float:
    """Balle and Wang (2018), theorem 8; that many Gaussians are one with less noise."""
    sigma = noise_multiplier / math.sqrt(releases)

    def excess(epsilon: float) -> float:
        first = norm.cdf(0.5 / sigma - epsilon * sigma)
        second = math.exp(epsilon + norm.logcdf(-0.5 / sigma - epsilon * sigma))
        return float(first - second - delta)

    return float(brentq(excess, 0, 1e3))


def zcdp_epsilon(noise_multiplier: float, releases: int, delta: float) -> float:
    """Bun and Steinke (2016), proposition 1.3: rho-zCDP is (rho + 2 sqrt(rho log(1/delta)))-DP."""
    rho = releases / (2 * noise_multiplier**2)
    return rho + 2 * math.sqrt(rho * math.log(1 / delta))


@pytest.mark.parametrize(("noise_multiplier", "releases"), CASES)
def test_between_the_exact_epsilon_and_a_closed_form_bound(
    noise_multiplier: float, releases: int
) -> None:
    found = epsilon_spent(noise_multiplier, releases, DELTA)
    exact = exact_epsilon(noise_multiplier, releases, DELTA)
    # The orders that are tried are a grid, which costs a little.
    assert exact <= found <= 1.01 * zcdp_epsilon(noise_multiplier, releases, DELTA)
    assert found <= 1.15 * exact, "and it is tight"


@pytest.mark.parametrize(("noise_multiplier", "releases"), CASES)
def test_what_flowers_accountant_says(noise_multiplier: float, releases: int) -> None:
    accountant = RdpAccountant(
        PrivacyConfig(
            target_delta=DELTA,
            population_size=30,
            neighboring_relation=NeighboringRelation.ADD_OR_REMOVE_ONE,
            sampling_method=SamplingMethod.NO_AMPLIFICATION,
        )
    )
    accountant.compose(GaussianPrivacyEvent(noise_multiplier, 10, 30), releases)
    found = epsilon_spent(noise_multiplier, releases, DELTA)
    assert found == pytest.approx(accountant.get_privacy_spent().epsilon, rel=1e-12)


def test_no_less_than_the_accountant_of_privacy_loss_distributions() -> None:
    accountant = pld.PLDAccountant()
    accountant.compose(dp_event.GaussianDpEvent(2.0), 10)
    tight = accountant.get_epsilon(DELTA)
    assert tight == pytest.approx(exact_epsilon(2.0, 10, DELTA), rel=1e-3)
    assert tight <= epsilon_spent(2.0, 10, DELTA)


def test_nothing_released_spends_nothing() -> None:
    assert epsilon_spent(1.0, 0, DELTA) == 0


@pytest.mark.parametrize("max_epsilon", [0.5, 4.7, 4.73, 8.0, 12.0, 1e6])
def test_as_many_releases_as_the_limit_allows(max_epsilon: float) -> None:
    wanted = 12
    found = affordable_releases(1.0, DELTA, max_epsilon, wanted)
    within = [epsilon_spent(1.0, count, DELTA) <= max_epsilon for count in range(wanted + 1)]
    assert found == sum(within) - 1


def test_without_a_limit_all_are_allowed() -> None:
    assert affordable_releases(0.1, DELTA, 0.0, 1000) == 1000


def test_the_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dp_accounting", None)
    with pytest.raises(ConfigError, match=r"pip install 'fedmvp\[privacy\]'"):
        epsilon_spent(1.25, 1, DELTA)
