"""Prompt tensors on disk: they come back as they went, or are refused."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from fedmvp_core.errors import CheckpointError
from server_app import checkpoints
from server_app.checkpoints import latest_round, load_checkpoint, save_checkpoint


def tensors() -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(0)
    # Not in alphabetical order, which is the one that safetensors gives back.
    return {"z": torch.randn(2, 3, generator=draw), "a": torch.randn(4, generator=draw)}


def test_round_trip(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path, 12, tensors(), {"method": "fedmvp"})
    assert path == tmp_path / "round-0012.safetensors"
    loaded = load_checkpoint(tmp_path, 12, tensors())
    assert list(loaded) == ["z", "a"]
    assert all(torch.equal(value, tensors()[name]) for name, value in loaded.items())
    assert json.loads((tmp_path / "round-0012.json").read_text())["method"] == "fedmvp"
    assert len(list(tmp_path.iterdir())) == 2


def test_latest_round(tmp_path: Path) -> None:
    assert latest_round(tmp_path / "nowhere") is None
    for number in (0, 5, 10000):
        save_checkpoint(tmp_path, number, tensors(), {})
    assert latest_round(tmp_path) == 10000


def test_no_tensors_at_all(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, 0, {}, {})
    assert load_checkpoint(tmp_path, 0, {}) == {}


@pytest.mark.parametrize("name", ["round-0001.safetensors", "round-0001.json"])
@pytest.mark.parametrize("damage", ["truncated", "missing", "empty"])
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, name: str, damage: str) -> None:
    save_checkpoint(tmp_path, 1, tensors(), {})
    path = tmp_path / name
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-10] if damage == "truncated" else b"")
    with pytest.raises(CheckpointError, match=r"checkpoint '.*round-0001.safetensors' cannot be"):
        load_checkpoint(tmp_path, 1, tensors())


@pytest.mark.parametrize(
    "other",
    [
        {"z": torch.zeros(2, 3)},
        {"z": torch.zeros(2, 3), "b": torch.zeros(4)},
        {"z": torch.zeros(3, 2), "a": torch.zeros(4)},
        {},
    ],
)
def test_another_schema_is_refused(tmp_path: Path, other: dict[str, Tensor]) -> None:
    save_checkpoint(tmp_path, 1, tensors(), {})
    with pytest.raises(CheckpointError, match=r"holds prompt tensors of schema .* configuration"):
        load_checkpoint(tmp_path, 1, other)


@pytest.mark.parametrize(
    "swapped",
    [
        {"z": torch.zeros(2, 3)},
        {"z": torch.zeros(2, 4), "a": torch.zeros(4)},
        {"z": torch.zeros(2, 3).half(), "a": torch.zeros(4)},
    ],
    ids=["a tensor less", "another shape", "another type"],
)
def test_tensors_that_are_not_those_described_are_refused(
    tmp_path: Path, swapped: dict[str, Tensor]
) -> None:
    path = save_checkpoint(tmp_path, 1, tensors(), {})
    save_file(swapped, path)
    with pytest.raises(CheckpointError, match="round-0001"):
        load_checkpoint(tmp_path, 1, tensors())


def test_a_description_of_another_form_is_refused(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, 1, tensors(), {})
    (tmp_path / "round-0001.json").write_text("[1]")
    with pytest.raises(CheckpointError, match="round-0001"):
        load_checkpoint(tmp_path, 1, tensors())


def test_a_failing_write_leaves_the_old_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_checkpoint(tmp_path, 1, tensors(), {})

    def disk_full(content: object, path: Path) -> None:
        Path(path).write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(checkpoints, "save_file", disk_full)
    with pytest.raises(OSError, match="disk full"):
        save_checkpoint(tmp_path, 1, {n: t + 1 for n, t in tensors().items()}, {})
    assert torch.equal(load_checkpoint(tmp_path, 1, tensors())["a"], tensors()["a"])
    assert len(list(tmp_path.iterdir())) == 2
