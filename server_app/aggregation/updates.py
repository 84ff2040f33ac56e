"""What every strategy takes and gives."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from torch import Tensor

from fedmvp_core.errors import FedMVPError


@dataclass(frozen=True)
class Update:
    """A checked reply: the tensors of the client's phase, and how many images it trained on."""

    partition_id: int
    tensors: Mapping[str, Tensor]
    num_examples: int


# Updates in the order of partition ids, and the current prompt tensors, to the tensors that change.
Aggregate: TypeAlias = Callable[[Sequence[Update], Mapping[str, Tensor]], dict[str, Tensor]]


def strategy_state(aggregate: Aggregate) -> dict[str, Tensor]:
    """What a rule keeps between rounds, such as momentum: its attribute `state`, if it has one.

    Checkpoints hold it; a run that is resumed puts it back before its first round.
    """
    state: dict[str, Tensor] = getattr(aggregate, "state", {})
    return state


class TooFewUpdatesError(FedMVPError):
    """A strategy cannot withstand as many liars as it should with so few updates."""
