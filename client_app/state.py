"""What a client keeps between rounds: the tensors that it was last sent.

Flower stores it in the node's context, so it survives a change of process. Only tensors that have
changed since are sent again, which makes a round in the LoRA phase small both ways. A client that
lost it is sent everything: what training depends on, the phase too, is kept by the server.
"""

from flwr.app import ArrayRecord, ConfigRecord, RecordDict

from fedmvp_core import protocol
from fedmvp_core.errors import WireError

_TENSORS, _FACTS = "global-prompts", "facts"
_ROUND = "round"
NOTHING_CACHED = 0


def merge_received(state: RecordDict, received: ArrayRecord, cached_round: int) -> ArrayRecord:
    """All prompt tensors: those just received over those kept from `cached_round`.

    Arrays stay as they came, in bytes.

    Raises:
        WireError: the server counts on tensors that this client no longer holds.
    """
    if cached_round == NOTHING_CACHED:
        return received
    facts, kept = state.get(_FACTS), state.get(_TENSORS)
    held = NOTHING_CACHED
    if isinstance(facts, ConfigRecord):
        held = protocol.integer(facts, _ROUND, "this client's state")
    if held != cached_round or not isinstance(kept, ArrayRecord):
        raise WireError(
            f"the server counts on prompt tensors of round {cached_round}, this client holds those "
            f"of round {held}"
        )
    return ArrayRecord({**kept, **received})


def remember(state: RecordDict, prompts: ArrayRecord, round: int) -> None:
    """Keep the global prompt tensors of a round."""
    state[_TENSORS] = prompts
    state[_FACTS] = ConfigRecord({_ROUND: round})


def only_received(state: RecordDict) -> RecordDict:
    """A copy of a client's state that holds what the server sent, and nothing of its own."""
    return RecordDict({name: state[name] for name in (_TENSORS, _FACTS) if name in state})
