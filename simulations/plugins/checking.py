"""The contract test of each kind of plugin, by the word for one of the kind."""

from collections.abc import Callable, Iterator, Mapping

from fedmvp_core.config import Scalar, did_you_mean
from fedmvp_core.errors import ConfigError
from simulations.plugins.check_aggregation import check_aggregation
from simulations.plugins.check_callback import check_callback
from simulations.plugins.check_method import check_method
from simulations.plugins.check_objective import check_objective
from simulations.plugins.check_strategy import check_strategy
from simulations.plugins.findings import Finding

CHECKS: Mapping[str, Callable[[str, dict[str, Scalar]], Iterator[Finding]]] = {
    "method": check_method,
    "objective": check_objective,
    "aggregation": check_aggregation,
    "strategy": check_strategy,
    "callback": check_callback,
}


def findings(kind: str, name: str, words: dict[str, Scalar] | None = None) -> Iterator[Finding]:
    """What is found, check by check, of an installed plugin.

    words: keys of the small run in which it is tried, such as {"method.lora-rank": 4}.

    Raises:
        ConfigError: there is no such kind, or a key is not what it may be.
    """
    if kind not in CHECKS:
        raise ConfigError(f"kind is '{kind}'{did_you_mean(kind, list(CHECKS))}")
    return CHECKS[kind](name, words or {})


def wrong_findings(kind: str, name: str) -> list[str]:
    """What is wrong with an installed plugin; nothing if it keeps its contract."""
    return [str(finding) for finding in findings(kind, name) if finding.wrong]
