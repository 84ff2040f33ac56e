"""Prompt tensors on disk: they come back as they went, or are refused."""

import json
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor

from fedmvp_core import protocol
from fedmvp_core.errors import CheckpointError
from fedmvp_core.prompting import FULL
from fedmvp_core.prompting.promptformer import LORA
from server_app.records import checkpoints
from server_app.records.checkpoints import (
    ServerState,
    latest_round,
    load_checkpoint,
    read_checkpoint,
    save_checkpoint,
)


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


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_prompt_tensors_that_are_no_numbers_are_refused_by_name(
    tmp_path: Path, wrong: float
) -> None:
    damaged = tensors()
    damaged["a"][2] = wrong
    save_checkpoint(tmp_path, 3, damaged, {})
    with pytest.raises(CheckpointError, match=r"round-0003.*prompt tensor 'a' holds numbers that"):
        load_checkpoint(tmp_path, 3, tensors())


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


@pytest.mark.parametrize("file", ["round-0002.json", "round-0002.safetensors"])
def test_a_failing_write_leaves_the_checkpoint_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    save_checkpoint(tmp_path, 1, tensors(), {})

    write = checkpoints._write

    def disk_full(path: Path, data: bytes) -> None:
        if path.name.startswith(f".{file}"):
            write(path, data[: len(data) // 2])
            raise OSError("disk full")
        write(path, data)

    monkeypatch.setattr(checkpoints, "_write", disk_full)
    with pytest.raises(OSError, match="disk full"):
        save_checkpoint(tmp_path, 2, {n: t + 1 for n, t in tensors().items()}, {})
    assert latest_round(tmp_path) == 1
    assert torch.equal(load_checkpoint(tmp_path, 1, tensors())["a"], tensors()["a"])
    assert not list(tmp_path.glob(".*"))


def test_what_the_server_needs_comes_back(tmp_path: Path) -> None:
    kept = ServerState({3: LORA, 0: FULL}, {"momentum": torch.arange(3.0)})
    save_checkpoint(tmp_path, 4, tensors(), {}, kept)
    found = read_checkpoint(tmp_path, 4, tensors())
    assert (found.round, list(found.tensors)) == (4, ["z", "a"])
    assert found.state.phases == kept.phases
    assert found.state.strategy.keys() == {"momentum"}
    assert torch.equal(found.state.strategy["momentum"], torch.arange(3.0))
    assert load_checkpoint(tmp_path, 4, tensors()).keys() == {"z", "a"}


def test_two_halves_of_two_checkpoints_are_none(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, 1, tensors(), {})
    save_checkpoint(tmp_path, 2, tensors(), {})
    save_checkpoint(tmp_path / "other", 2, {n: t + 1 for n, t in tensors().items()}, {})
    (tmp_path / "other" / "round-0002.json").replace(tmp_path / "round-0002.json")
    assert latest_round(tmp_path) == 1
    with pytest.raises(CheckpointError, match=r"its SHA-256 is [0-9a-f]{64}, not that of"):
        load_checkpoint(tmp_path, 2, tensors())


def test_files_of_other_names_are_no_checkpoints(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, 1, tensors(), {})
    for name in ("round-x", "round-", "round-9", "round-0002", "round-0003-copy"):
        (tmp_path / f"{name}.safetensors").mkdir()
    assert latest_round(tmp_path) == 1


def test_a_checkpoint_from_before_there_were_hashes(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, 1, tensors(), {})
    path = tmp_path / "round-0001.json"
    facts = json.loads(path.read_text())
    path.write_text(json.dumps({k: facts[k] for k in ("round", "schema-hash")}))
    found = read_checkpoint(tmp_path, 1, tensors())
    assert found.state == ServerState()


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(
    text=st.one_of(
        st.binary(max_size=30),
        json_values.map(lambda value: json.dumps(value).encode()),
        json_values.map(lambda value: json.dumps({"phases": value}).encode()),
    )
)
def test_a_malformed_description_is_refused(text: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_checkpoint(folder, 1, tensors(), {})
        (folder / "round-0001.json").write_bytes(text)
        with pytest.raises(CheckpointError, match="round-0001"):
            read_checkpoint(folder, 1, tensors())
        assert latest_round(folder) in (None, 1)


@given(phases=json_values.filter(lambda value: value != {}))
def test_malformed_phases_are_refused(phases: object) -> None:
    with tempfile.TemporaryDirectory() as name:
        save_checkpoint(Path(name), 1, tensors(), {"phases": phases})
        with pytest.raises(CheckpointError, match="phases are"):
            read_checkpoint(Path(name), 1, tensors())


@given(data=st.data())
def test_malformed_tensors_are_refused(data: st.DataObject) -> None:
    """Any bytes, and the right ones with some of them changed, without a hash to tell by."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = save_checkpoint(folder, 1, tensors(), {"sha256": None})
        (folder / "round-0001.json").write_text(
            json.dumps({"schema-hash": protocol.schema_hash(tensors())})
        )
        right = bytearray(path.read_bytes())
        if data.draw(st.booleans()):
            changed = data.draw(st.binary(max_size=len(right)))
        else:
            for _ in range(data.draw(st.integers(1, 4))):
                at = data.draw(st.integers(0, len(right) - 1))
                right[at] = data.draw(st.integers(0, 255))
            changed = bytes(right)
        path.write_bytes(changed)
        try:
            found = read_checkpoint(folder, 1, tensors())
        except CheckpointError:
            return
        assert {n: t.shape for n, t in found.tensors.items()} == {"z": (2, 3), "a": (4,)}
