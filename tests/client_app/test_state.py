"""What a client keeps between rounds."""

import pytest
import torch
from flwr.app import ArrayRecord, RecordDict

from client_app.state import NOTHING_CACHED, merge_received, remember
from fedmvp_core.errors import WireError


def arrays(**tensors: torch.Tensor) -> ArrayRecord:
    return ArrayRecord(tensors)


def test_a_new_client_holds_nothing() -> None:
    state = RecordDict()
    received = arrays(a=torch.ones(2))
    assert merge_received(state, received, NOTHING_CACHED) == received
    with pytest.raises(WireError, match="of round 3, this client holds those of round 0"):
        merge_received(state, received, 3)


def test_what_is_remembered_is_merged_under_what_is_received() -> None:
    state = RecordDict()
    remember(state, arrays(a=torch.zeros(2), b=torch.full((3,), 2.0)), 3)
    merged = merge_received(state, arrays(a=torch.ones(2)), 3).to_torch_state_dict()
    assert merged["a"].tolist() == [1, 1]
    assert merged["b"].tolist() == [2, 2, 2]


def test_another_round_than_the_one_kept_is_refused() -> None:
    state = RecordDict()
    remember(state, arrays(a=torch.zeros(2)), 3)
    with pytest.raises(WireError, match="of round 2, this client holds those of round 3"):
        merge_received(state, arrays(), 2)


def test_everything_sent_anew_replaces_what_was_kept() -> None:
    state = RecordDict()
    remember(state, arrays(a=torch.zeros(2), old=torch.zeros(1)), 3)
    assert set(merge_received(state, arrays(a=torch.ones(2)), NOTHING_CACHED)) == {"a"}
