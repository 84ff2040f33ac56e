"""Ways to make one set of tensors out of many; found by name through entry points.

An aggregation makes a rule: a function from checked updates and the current tensors to the tensors
that change. Messages, checks and rounds are the same for all of them and stand in strategy.py.
`flower_rule` makes one of any of Flower's strategies.
"""

from server_app.aggregation.flower_rule import flower_rule
from server_app.aggregation.kept import UpdatesFile
from server_app.aggregation.updates import (
    Aggregation,
    AggregationContext,
    ConfiguredAggregation,
    Rule,
    TooFewUpdatesError,
    Update,
    asked_terms,
    restore_rule,
    rule_state,
)

__all__ = [
    "Aggregation",
    "AggregationContext",
    "ConfiguredAggregation",
    "Rule",
    "TooFewUpdatesError",
    "Update",
    "UpdatesFile",
    "asked_terms",
    "flower_rule",
    "restore_rule",
    "rule_state",
]
