"""What an aggregation takes, gives and keeps."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from torch import Tensor

from fedmvp_core.config import RunConfig
from fedmvp_core.config.options import NoOptions, options_type, parse_options
from fedmvp_core.errors import CheckpointError, ConfigError, FedMVPError
from fedmvp_core.methods import ConfiguredMethod
from fedmvp_core.registry import AGGREGATIONS, find
from fedmvp_core.terms import TermText


@dataclass(frozen=True)
class Update:
    """A checked reply: the tensors of the client's phase, its images, and what it reports.

    tensors: those in a file are read anew each time; memory holds the one that is at work when they
    are gone through one after the other. metrics: numbers by name, such as "train-loss"; empty with
    share-metrics=false.
    """

    partition_id: int
    tensors: Mapping[str, Tensor]
    num_examples: int
    metrics: Mapping[str, float] = field(default_factory=dict)


# Updates in the order of partition ids, and the current tensors, to the tensors that change. A rule
# that keeps something between rounds has it in `state`, a dict of tensors, and may have `restore`.
Rule: TypeAlias = Callable[[Sequence[Update], Mapping[str, Tensor]], dict[str, Tensor]]


@dataclass(frozen=True)
class AggregationContext:
    """What a rule may know of the run. share: of the clients that a round asks."""

    weighting: str
    seed: int
    share: float

    def weight(self, update: Update) -> float:
        """An update's weight: 1, or its number of images with weighting=examples."""
        return 1.0 if self.weighting == "uniform" else float(update.num_examples)


def one_is_enough(options: Any, updates: int) -> int:
    """Of a rule that works with a single update."""
    return 1


def _no_term(options: Any, context: AggregationContext) -> TermText | None:
    return None


@dataclass(frozen=True)
class Aggregation:
    """A rule that makes one set of tensors out of checked updates, under its paper's name.

    make: (options, context) -> the rule, made once a run.
    fewest: (options, updates of a round) -> how many it needs; fewer are too few for a round.
    term: the client term that it asks clients for: its name and options, or None.
    """

    name: str
    source: str
    make: Callable[[Any, AggregationContext], Rule]
    options: type = NoOptions
    fewest: Callable[[Any, int], int] = one_is_enough
    term: Callable[[Any, AggregationContext], TermText | None] = _no_term


class ConfiguredAggregation:
    """An aggregation with its options, as a run's configuration has it.

    Raises:
        ConfigError: it is not installed, or an option is not what it may be.
    """

    def __init__(self, config: RunConfig) -> None:
        federation = config.federation
        self.aggregation: Aggregation = find(AGGREGATIONS, federation.aggregation)
        self.name = self.aggregation.name
        owner = f"aggregation '{self.name}'"
        declared = options_type(self.aggregation)
        self.options: Any = parse_options(owner, declared, federation.aggregation_options)
        self.context = AggregationContext(
            federation.weighting, config.run.seed, federation.fraction_train
        )

    def rule(self) -> Rule:
        """A fresh rule."""
        return self.aggregation.make(self.options, self.context)

    def term(self) -> TermText | None:
        """What it asks of clients beside their objective."""
        return self.aggregation.term(self.options, self.context)

    def check_cohort(self, cohort: int) -> None:
        """Raises ConfigError when a whole cohort is too small for the aggregation."""
        needed = self.aggregation.fewest(self.options, cohort)
        if cohort < needed:
            raise ConfigError(
                f"aggregation is '{self.name}', which needs {needed} clients a round "
                f"({_shown(self.options)}), but a round has {cohort}; allowed: more clients, or "
                "other options"
            )


def asked_terms(config: RunConfig, method: ConfiguredMethod) -> list[TermText]:
    """The client terms that the run's method and aggregation ask for."""
    asked = [method.method.term]
    if not config.federation.strategy:
        asked.append(ConfiguredAggregation(config).term())
    return [term for term in asked if term is not None]


def _shown(options: Any) -> str:
    return ", ".join(f"{name.replace('_', '-')} {value}" for name, value in vars(options).items())


def rule_state(rule: Rule) -> dict[str, Tensor]:
    """What a rule keeps between rounds, such as momentum: its attribute `state`, if it has one.

    Checkpoints hold it; a run that is resumed puts it back before its first round.
    """
    state: dict[str, Tensor] = getattr(rule, "state", {})
    return state


def restore_rule(rule: Rule, state: Mapping[str, Tensor]) -> None:
    """Put back what `rule_state` gave.

    Raises:
        CheckpointError: the rule makes nothing of it.
    """
    restore = getattr(rule, "restore", None)
    if restore is not None:
        try:
            restore(state)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise CheckpointError(
                f"what a checkpoint kept of the aggregation cannot be restored: {error!r}"
            ) from error
    elif state:
        rule_state(rule).update(state)


class TooFewUpdatesError(FedMVPError):
    """A rule cannot work, or cannot withstand as many liars as it should, with so few updates."""
