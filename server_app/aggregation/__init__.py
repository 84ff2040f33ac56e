"""Ways to make one set of prompt tensors out of many; found by name through entry points.

A strategy is a function from the run's configuration to an aggregation rule; messages, checks and
rounds are the same for all of them and stand in federation.py.
"""

from server_app.aggregation.averaging import fedavg
from server_app.aggregation.cohort_size import check_cohort, malicious_clients
from server_app.aggregation.robust import bulyan, fedmedian, fedtrimmedavg, krum, multikrum
from server_app.aggregation.updates import Aggregate, TooFewUpdatesError, Update, strategy_state

__all__ = [
    "Aggregate",
    "TooFewUpdatesError",
    "Update",
    "bulyan",
    "check_cohort",
    "fedavg",
    "fedmedian",
    "fedtrimmedavg",
    "krum",
    "malicious_clients",
    "multikrum",
    "strategy_state",
]
