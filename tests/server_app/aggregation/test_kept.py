"""Updates wait in a file, and what is made of them has the same bits as from memory."""

import subprocess
import sys
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from federation_harness import set_identity
from flwr.app import Message
from torch import Tensor

from fedmvp_core.config import RunConfig, parse_config
from server_app.aggregation import ConfiguredAggregation, Update, UpdatesFile, changes
from server_app.aggregation.changes import pieces_of
from server_app.aggregation.kept import TensorsInFile, part_of
from server_app.replies.reading import read_updates
from simulations.bench.record import read_record
from simulations.benchmarks.fuzz.malformed import SOUND_CLIENTS, Round
from simulations.runner.project import default_config

CLIENTS = 12
RULES = [
    "fedavg",
    "sfat",
    "fedawa",
    "fedmedian",
    "fedtrimmedavg",
    "krum",
    "multikrum",
    "bulyan",
    "fedavgm",
    "fedadam",
    "qfedavg",
    "geometric-median",
    "dp-fixed-clipping",
]
CURRENT = {
    "matrix": torch.linspace(-1, 1, 33).reshape(3, 11),
    "number": torch.tensor(0.5),
    "one": torch.zeros(1),
}


def updates() -> list[Update]:
    draw = torch.Generator().manual_seed(5)
    return [
        Update(
            partition_id=client,
            tensors={n: v + torch.randn(v.shape, generator=draw) for n, v in CURRENT.items()},
            num_examples=client + 1,
            metrics={"train-loss": 1.0 + client},
        )
        for client in range(CLIENTS)
    ]


def rule_of(aggregation: str) -> Callable[..., dict[str, Tensor]]:
    config: RunConfig = parse_config({**default_config(), "aggregation": aggregation})
    return ConfiguredAggregation(config).rule()


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[n], other[n]) for n in one)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("shape", [(), (1,), (0, 3), (4, 5)])
def test_what_is_kept_in_the_file_comes_back(
    tmp_path: Path, dtype: torch.dtype, shape: tuple[int, ...]
) -> None:
    values = [{"a": torch.randn(shape).to(dtype), "b": torch.randn(3, 2).T} for _ in range(3)]
    with UpdatesFile(tmp_path, in_memory=0) as file:
        kept = [file.keep(tensors) for tensors in values]
        assert all(isinstance(tensors, TensorsInFile) for tensors in kept)
        for tensors, value in zip(kept, values, strict=True):
            assert list(tensors) == ["a", "b"]
            assert "c" not in tensors
            assert tensors["a"].dtype == dtype
            assert tensors["a"].shape == shape
            assert torch.equal(tensors["a"], value["a"])
            assert torch.equal(tensors["b"], value["b"])
            assert torch.equal(part_of(tensors, "b", 2, 5), part_of(value, "b", 2, 5))
        kept[0]["b"].zero_()
        assert torch.equal(kept[0]["b"], values[0]["b"])
    assert not list(tmp_path.iterdir())


def test_the_first_few_stay_in_memory(tmp_path: Path) -> None:
    with UpdatesFile(tmp_path, in_memory=100) as file:
        kept = [file.keep({"a": torch.zeros(20)}) for _ in range(3)]
    assert [type(tensors) for tensors in kept] == [dict, TensorsInFile, TensorsInFile]


@pytest.mark.parametrize(
    "aggregation",
    RULES,
)
def test_every_rule_makes_the_same_of_kept_updates(
    aggregation: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_identity()
    expected = rule_of(aggregation)(updates(), CURRENT)
    monkeypatch.setattr(changes, "NUMBERS_AT_ONCE", 5 * CLIENTS)
    with UpdatesFile(tmp_path, in_memory=0) as file:
        kept = [
            Update(u.partition_id, file.keep(u.tensors), u.num_examples, u.metrics)
            for u in updates()
        ]
        assert same(rule_of(aggregation)(kept, CURRENT), expected)


def test_pieces_cover_a_tensor_and_none_is_a_single_number() -> None:
    for numbers in range(1, 40):
        for most in range(2, 9):
            pieces = pieces_of("a", torch.zeros(numbers), most)
            covered = [i for piece in pieces for i in range(piece.start, piece.stop)]
            assert covered == list(range(numbers))
            assert numbers == 1 or min(piece.stop - piece.start for piece in pieces) > 1
            assert max(piece.stop - piece.start for piece in pieces) <= max(3, most)
    assert pieces_of("a", torch.zeros(2, 3), None)[0].shape == (2, 3)


def test_a_reply_is_let_go_before_the_next_but_one_is_fetched(tmp_path: Path) -> None:
    made, alive = Round(), []

    def arriving() -> Iterator[Message]:
        seen: list[weakref.ref[Message]] = []
        for client in range(SOUND_CLIENTS):
            reply = made.sound(client)
            seen.append(weakref.ref(reply))
            alive.append(sum(ref() is not None for ref in seen))
            yield reply
            del reply

    with UpdatesFile(tmp_path, in_memory=0) as file:
        checked = read_updates(arriving(), made.asked, file)
        assert [u.partition_id for u in checked.updates] == list(range(SOUND_CLIENTS))
        assert {reported.bytes_up for reported in checked.reported} == {
            sum(made.tensors[n].nbytes for n in made.names)
        }
    assert max(alive) <= 2


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="reads /proc")
@pytest.mark.parametrize(
    "names",
    [
        ["fedavg", "fedmedian", "krum"],
        pytest.param(["fedadam", "bulyan", "geometric-median"], marks=pytest.mark.slow),
    ],
)
def test_memory_does_not_grow_with_the_cohort(tmp_path: Path, names: list[str]) -> None:
    """Eight times as many replies of 281,088 numbers take at most 1.3 times as much."""
    out = tmp_path / "memory.json"
    command = [sys.executable, "-m", "simulations", "bench", "memory", "--clients", "8,64"]
    command += ["--numbers", "281088", "--aggregations", ",".join(names), "--out", str(out)]
    # A kernel that takes pages back meanwhile hides part of a peak, so some tries are allowed.
    for _ in range(3):
        # A process of its own, whose heap other tests have not left in pieces.
        subprocess.run(command, capture_output=True, text=True, check=True)
        parts = read_record(out).parts
        assert [part.title for part in parts] == [f"server memory, {name}" for name in names]
        peaks = [[values[0] for values in part.values.values()] for part in parts]
        grown = [many / few for few, many, _ in peaks]
        assert all(held > 2 * many for _, many, held in peaks), parts
        if max(grown) <= 1.3:
            return
    pytest.fail(f"peaks grew by {grown}")
