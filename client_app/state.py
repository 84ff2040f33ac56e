"""What a client keeps between rounds: its phase, and the prompt tensors that it was last sent.

Flower stores it in the node's context, so it survives a change of process. Only tensors that have
changed since are sent again, which makes a round in the LoRA phase small both ways.
"""

from collections.abc import Mapping

from flwr.app import ArrayRecord, ConfigRecord, RecordDict
from torch import Tensor

from fedmvp_core import wire
from fedmvp_core.errors import WireError
from fedmvp_core.prompting import FULL

_TENSORS, _FACTS = "global-prompts", "facts"
_ROUND, _PHASE = "round", "phase"
NOTHING_CACHED = 0


def phase(state: RecordDict) -> str:
    """The client's training phase; a new client starts in the full one."""
    facts = state.get(_FACTS)
    return str(facts[_PHASE]) if isinstance(facts, ConfigRecord) else FULL


def merge_received(
    state: RecordDict, received: Mapping[str, Tensor], cached_round: int
) -> dict[str, Tensor]:
    """All prompt tensors: those just received over those kept from `cached_round`.

    Raises:
        WireError: the server counts on tensors that this client no longer holds.
    """
    if cached_round == NOTHING_CACHED:
        return dict(received)
    facts, kept = state.get(_FACTS), state.get(_TENSORS)
    held = NOTHING_CACHED
    if isinstance(facts, ConfigRecord):
        held = wire.integer(facts, _ROUND, "this client's state")
    if held != cached_round or not isinstance(kept, ArrayRecord):
        raise WireError(
            f"the server counts on prompt tensors of round {cached_round}, this client holds those "
            f"of round {held}"
        )
    return {**kept.to_torch_state_dict(), **received}


def remember(state: RecordDict, tensors: Mapping[str, Tensor], round: int, phase: str) -> None:
    """Keep the global prompt tensors of a round and the phase of the next one."""
    state[_TENSORS] = ArrayRecord(dict(tensors))
    state[_FACTS] = ConfigRecord({_ROUND: round, _PHASE: phase})
