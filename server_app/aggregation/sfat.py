"""SFAT: Combating Exacerbated Heterogeneity for Robust Models in Federated Learning (Zhu et al.).

ICLR 2023. The clients with the smallest adversarial training losses weigh 1 + slack, the others 1:
a slack of the inner maximisation. How many are favoured is this project's reading: a share. The
loss is that of the run's objective, so `objective=at` is SFAT as published.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from fedmvp_core import protocol
from fedmvp_core.aggregation import weighted_mean
from fedmvp_core.config.options import Annotated, Between, option
from fedmvp_core.errors import ConfigError
from server_app.aggregation.updates import Aggregation, AggregationContext, Rule, Update


@dataclass(frozen=True)
class SFATOptions:
    """1.2 against 1 in the public code's example."""

    slack: Annotated[float, Between(0)] = option(0.2, "by how much favoured clients weigh more")
    favoured_share: Annotated[float, Between(0, 1)] = option(
        0.5, "of a round's clients, those of the smallest loss"
    )


def slack_weighted(options: SFATOptions, context: AggregationContext) -> Rule:
    """The mean in which clients of small loss weigh more.

    Raises:
        ConfigError: updates do not tell their loss (share-metrics=false).
    """

    def rule(updates: Sequence[Update], current: Mapping[str, Tensor]) -> dict[str, Tensor]:
        if any(protocol.TRAIN_LOSS not in update.metrics for update in updates):
            raise ConfigError(
                "aggregation is 'sfat' but updates tell no train-loss; allowed: share-metrics=true"
            )
        ordered = sorted(updates, key=lambda u: (u.metrics[protocol.TRAIN_LOSS], u.partition_id))
        favoured = {u.partition_id for u in ordered[: round(options.favoured_share * len(updates))]}

        def weight(update: Update) -> float:
            more = 1 + options.slack if update.partition_id in favoured else 1.0
            return context.weight(update) * more

        return weighted_mean((update.tensors, weight(update)) for update in updates)

    return rule


sfat = Aggregation("sfat", "SFAT (ICLR 2023)", slack_weighted, SFATOptions)
