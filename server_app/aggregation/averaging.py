"""Means of all updates: nothing is held back, so one liar can move them anywhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from fedmvp_core.aggregation import weighted_mean
from fedmvp_core.config.options import Annotated, Between, NoOptions, option
from fedmvp_core.terms import TermText
from server_app.aggregation.updates import Aggregation, AggregationContext, Rule, Update


def mean(options: NoOptions, context: AggregationContext) -> Rule:
    """The mean of Flower's FedAvg, as a running sum: memory does not grow with the cohort.

    `weighting` uniform as FedMVP's code has it, or by examples.
    """

    def rule(updates: Sequence[Update], current: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return weighted_mean((u.tensors, context.weight(u)) for u in updates)

    return rule


@dataclass(frozen=True)
class FedProxOptions:
    """0 is FedAvg."""

    mu: Annotated[float, Between(0)] = option(0.01, "weight of a client's distance, halved")


def proximal(options: FedProxOptions, context: AggregationContext) -> TermText:
    """The term that holds clients near what they received."""
    return "fedprox", f"mu={options.mu}"


def controlled(options: NoOptions, context: AggregationContext) -> TermText:
    """The term that corrects clients' gradients."""
    return "scaffold", f"share={context.share}"


fedavg = Aggregation("fedavg", "FedAvg (McMahan et al., AISTATS 2017)", mean)
fedprox = Aggregation(
    "fedprox", "FedProx (Li et al., MLSys 2020)", mean, FedProxOptions, term=proximal
)
scaffold = Aggregation(
    "scaffold", "SCAFFOLD (Karimireddy et al., ICML 2020)", mean, term=controlled
)
