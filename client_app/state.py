"""What a client keeps between rounds: the prompt tensors that it was last sent, and no more.

Flower stores it in the node's context, so it survives a change of process. Only tensors that have
changed since are sent again, which makes a round in the LoRA phase small both ways. A client that
lost it is sent everything: what training depends on, the phase too, is kept by the server.
"""

from collections.abc import Mapping

from flwr.app import ArrayRecord, ConfigRecord, RecordDict
from torch import Tensor

from fedmvp_core import wire
from fedmvp_core.errors import WireError

_TENSORS, _FACTS = "global-prompts", "facts"
_ROUND = "round"
NOTHING_CACHED = 0


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


def remember(state: RecordDict, tensors: Mapping[str, Tensor], round: int) -> None:
    """Keep the global prompt tensors of a round."""
    state[_TENSORS] = ArrayRecord(dict(tensors))
    state[_FACTS] = ConfigRecord({_ROUND: round})
