"""DnC: divide and conquer. Manipulating the Byzantine (Shejwalkar & Houmansadr, NDSS 2021).

Algorithm 2: of some coordinates, drawn anew in each iteration, the centred updates are projected on
their first right singular vector; lies that pull one way stand out there. The updates that are far
out are left out, and what every iteration keeps is averaged.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fedmvp_core.aggregation import weighted_mean
from fedmvp_core.config.options import Annotated, Between, option
from fedmvp_core.seeding import generator
from server_app.aggregation.flower_rule import groups
from server_app.aggregation.robust import RobustOptions, malicious_clients
from server_app.aggregation.sampled import changes_at, drawn_coordinates, furthest_left_out
from server_app.aggregation.updates import (
    Aggregation,
    AggregationContext,
    TooFewUpdatesError,
    Update,
)


@dataclass(frozen=True)
class DnCOptions(RobustOptions):
    """The paper's iterations and share; its 10,000 coordinates."""

    iterations: Annotated[int, Between(1, 100)] = option(5, "each on coordinates of its own")
    coordinates: Annotated[int, Between(1)] = option(10_000, "looked at in an iteration, at most")
    filtering: Annotated[float, Between(0.1, 10)] = option(
        1.0, "updates left out in an iteration over those that may be lies"
    )


class DnC:
    """The rule; state: the number of rounds, from which draws follow."""

    def __init__(self, options: DnCOptions, context: AggregationContext) -> None:
        self._options, self._context = options, context
        self.state: dict[str, Tensor] = {"rounds": torch.tensor(0)}

    def __call__(
        self, updates: Sequence[Update], current: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """The mean of what is kept, for each group of tensors that the same clients sent.

        Raises:
            TooFewUpdatesError: there are too few updates of every group.
        """
        self.state = {"rounds": self.state["rounds"] + 1}
        draw = generator(self._context.seed, "dnc", int(self.state["rounds"]))
        needed = fewest(self._options, len(updates))
        changed: dict[str, Tensor] = {}
        for names, senders in groups(updates):
            if len(senders) < needed:  # liars could agree to be alone in a phase
                continue
            kept = self._kept(names, senders, current, left_out(self._options, len(updates)), draw)
            changed |= weighted_mean(
                ({n: senders[at].tensors[n] for n in names}, self._context.weight(senders[at]))
                for at in kept
            )
        if not changed:
            raise TooFewUpdatesError(f"{needed} updates are needed, and there are {len(updates)}")
        return changed

    def _kept(
        self,
        names: Sequence[str],
        senders: Sequence[Update],
        current: Mapping[str, Tensor],
        count: int,
        draw: torch.Generator,
    ) -> list[int]:
        """Positions of the updates that every iteration kept.

        Where no update is, which the paper leaves open: those that most of them kept.
        """
        good: Counter[int] = Counter()
        for _ in range(self._options.iterations):
            at = drawn_coordinates(sorted(names), current, self._options.coordinates, draw)
            good.update(furthest_left_out(outlying(changes_at(senders, current, at)), count))
        most = max(good.values())
        return sorted(position for position, times in good.items() if times == most)


def outlying(changes: Tensor) -> Tensor:
    """(n,): squared projections of the centred rows on their first right singular vector.

    changes: (n, d). They are those of the left one times the singular value.
    """
    left, values, _ = torch.linalg.svd(changes - changes.mean(dim=0), full_matrices=False)
    scores: Tensor = (left[:, 0] * values[0]).square()
    return scores


def left_out(options: DnCOptions, updates: int) -> int:
    """How many an iteration leaves out: filtering times f."""
    return int(options.filtering * malicious_clients(options, updates) + 1e-9)


def fewest(options: DnCOptions, updates: int) -> int:
    """Most must be honest, and an iteration must leave one."""
    return max(2 * malicious_clients(options, updates), left_out(options, updates)) + 1


dnc = Aggregation(
    "dnc",
    "DnC: without the updates that are far out along the first singular vector (Shejwalkar & "
    "Houmansadr, NDSS 2021)",
    DnC,
    DnCOptions,
    fewest,
)
