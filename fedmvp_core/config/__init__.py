"""The run configuration: typed and checked once, at the edge.

What keys there are is in keys.py, what a value may be in values.py, which values go together in
rules.py, how a perturbation's budget is written in epsilon.py.
"""

from fedmvp_core.config.keys import (
    BY_DOMAIN,
    LOGGERS,
    OURS,
    PLACES,
    PUBLISHED,
    STRESS_ATTACKS,
    AttackSection,
    DataSection,
    EvaluationSection,
    FederationSection,
    ModelSection,
    PrivacySection,
    RunConfig,
    RunSection,
    StressSection,
    TrainingSection,
    dataset_names,
)
from fedmvp_core.config.parsing import parse_config
from fedmvp_core.config.values import Scalar
from fedmvp_core.config.words import did_you_mean

__all__ = [
    "BY_DOMAIN",
    "LOGGERS",
    "OURS",
    "PLACES",
    "PUBLISHED",
    "STRESS_ATTACKS",
    "AttackSection",
    "DataSection",
    "EvaluationSection",
    "FederationSection",
    "ModelSection",
    "PrivacySection",
    "RunConfig",
    "RunSection",
    "Scalar",
    "StressSection",
    "TrainingSection",
    "dataset_names",
    "did_you_mean",
    "parse_config",
]
