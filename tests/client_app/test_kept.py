"""What a client keeps to itself: in its state, and on its own disk after a crash."""

from pathlib import Path

import pytest
import torch
from flwr.app import RecordDict

from client_app.kept import Keeper

TENSORS = {"own": torch.arange(6.0).view(2, 3), "scaffold/query": torch.ones(2)}


def equal(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> bool:
    return found.keys() == expected.keys() and all(
        torch.equal(found[n], expected[n]) for n in found
    )


def keeper(folder: Path, run_id: str = "a1b2c3d4", partition_id: int = 2) -> Keeper:
    return Keeper.of(str(folder), run_id, partition_id)


def test_a_client_has_nothing_before_its_first_round(tmp_path: Path) -> None:
    assert keeper(tmp_path).kept(RecordDict(), 1) == {}


def test_what_a_round_ends_with_is_there_in_the_next(tmp_path: Path) -> None:
    state, kept = RecordDict(), keeper(tmp_path)
    kept.keep(state, TENSORS, 1)
    assert equal(kept.kept(state, 2), TENSORS)
    assert equal(kept.kept(state, 5), TENSORS), "a client may sit out some rounds"


def test_a_state_that_is_lost_is_read_from_disk(tmp_path: Path) -> None:
    keeper(tmp_path).keep(RecordDict(), TENSORS, 1)
    assert equal(keeper(tmp_path).kept(RecordDict(), 2), TENSORS)


def test_a_round_that_is_played_again_begins_as_it_began_before(tmp_path: Path) -> None:
    """The server died in round 2, after the client had trained: both go on after round 1."""
    state = RecordDict()
    keeper(tmp_path).keep(state, TENSORS, 1)
    keeper(tmp_path).keep(state, {n: t + 1 for n, t in TENSORS.items()}, 2)
    for held in (state, RecordDict()):
        assert equal(keeper(tmp_path).kept(held, 2), TENSORS)


@pytest.mark.parametrize("other", [{"run_id": "ffff0000"}, {"partition_id": 3}], ids=str)
def test_another_run_or_client_has_tensors_of_its_own(tmp_path: Path, other: dict) -> None:
    state = RecordDict()
    keeper(tmp_path).keep(state, TENSORS, 1)
    assert keeper(tmp_path, **other).kept(RecordDict(), 2) == {}
    if "run_id" in other:
        assert keeper(tmp_path, **other).kept(state, 2) == {}


def test_a_damaged_file_is_told_and_left(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    kept = keeper(tmp_path)
    kept.keep(RecordDict(), TENSORS, 1)
    (kept.folder / "round-0001.safetensors").write_bytes(b"no tensors")
    assert kept.kept(RecordDict(), 2) == {}
    assert "round-0001.safetensors' cannot be read" in caplog.text


def test_only_the_last_rounds_stay_on_disk(tmp_path: Path) -> None:
    kept = keeper(tmp_path)
    for round in range(1, 8):
        kept.keep(RecordDict(), TENSORS, round)
    assert sorted(path.name for path in kept.folder.iterdir()) == [
        "round-0005.safetensors",
        "round-0006.safetensors",
        "round-0007.safetensors",
    ]


def test_who_keeps_nothing_leaves_nothing(tmp_path: Path) -> None:
    kept, state = keeper(tmp_path), RecordDict()
    kept.keep(state, {}, 1)
    assert not kept.folder.exists()
    assert not state
