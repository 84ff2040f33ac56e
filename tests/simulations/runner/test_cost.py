"""`fedmvp plan`: one client is measured, and what a run takes follows from it."""

import dataclasses
import io
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from typer.testing import CliRunner

from fedmvp_core import training
from fedmvp_core.config import RunConfig, parse_config
from fedmvp_core.lockstep.jobs import play
from simulations import cli
from simulations.runner import client_cost
from simulations.runner.client_cost import ClientCost, steps_of
from simulations.runner.cost_tables import at_once, print_cost, round_seconds, what_would_help
from simulations.runner.fitting import ways_to_keep_less
from simulations.runner.project import default_config

GB = 10**9
CARD = ClientCost("cuda", 0.5, steps=8, mean_steps=4.0, memory=16 * GB, room=80 * GB, down=1, up=1)
MACHINE = dataclasses.replace(CARD, device="cpu", memory=GB, room=16 * GB)


def config(**keys: object) -> RunConfig:
    return parse_config({**default_config(), **{k.replace("_", "-"): v for k, v in keys.items()}})


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def invoke(*words: str) -> str:
        quick = ["dataset=emojidomains", "pretrained=", "shots=4", "device=cpu"]
        result = CliRunner().invoke(cli.app, ["plan", *quick, *words])
        assert result.exit_code == 0, result.output
        return " ".join(result.output.split())

    return invoke


def test_it_measures_a_client_and_writes_nothing(plan, tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    words = plan("rounds=3", "method=fedmvp", "wire-dtype=int8", "batch-size=4")
    assert "one client of 6, measured on cpu" in words
    assert "steps a round 3 at most, 3.0 in the mean" in words
    assert "a message 1.15 MB down, 0.28 MB up" in words
    assert "3 rounds of 6 clients, 54 steps" in words
    assert "machines clients at once on each a round the run" in words
    assert list(tmp_path.rglob("*")) == []
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize(
    "words",
    [
        ("augmentation=crops", "cached-views=2"),
        ("aggregation=scaffold",),
        ("attack-classes=global",),
    ],
    ids=["cached views", "client term", "global attack"],
)
def test_the_client_is_prepared_as_in_a_run(plan, words: tuple[str, ...]) -> None:
    assert "a step" in plan("method=fedmvp-capt", "batch-size=4", "attack-steps=1", *words)


def test_clients_that_share_a_batch_are_measured_together(
    plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    together: list[int] = []

    def noted(jobs: Any) -> None:
        together.append(len(jobs))
        play(jobs)

    monkeypatch.setattr(client_cost, "play_together", noted)
    words = plan("method=promptfl", "batch-size=4", "rounds=3", "clients-per-batch=3")
    assert together == [3] * client_cost.TURNS
    assert "3 clients in one batch of 6, measured on cpu" in words
    assert " 1 3 3 " in words
    assert " 2 3 2 " not in words, "one process plays them all"


def test_clients_that_share_a_batch_fill_one_process() -> None:
    card = dataclasses.replace(CARD, sharing=4)
    assert [at_once(card, cards, 6, 16) for cards in (1, 8)] == [4, 4]
    assert at_once(dataclasses.replace(card, memory=79 * GB), 1, 6, 16) == 0
    assert round_seconds(card, 1, 6, 16) == pytest.approx(6 * 4.0 * 0.5)


@pytest.mark.parametrize(
    ("largest", "words", "helps"),
    [
        # With all kept, with less kept: the largest batch that the device has room for.
        ((2, 8), (), ["activation-checkpointing=true (now false)", "batch-size=2 (now 8)"]),
        ((0, 4), (), ["activation-checkpointing=true (now false) batch-size=4 (now 8)"]),
        ((0, 4), ("activation-checkpointing=true",), ["batch-size=4 (now 8)"]),
        ((0, 0), (), []),
        (
            (2, 4),
            ("clients-per-batch=2", "batch-size=4"),
            ["activation-checkpointing=true (now false)", "batch-size=2 (now 4)"],
        ),
    ],
)
def test_a_client_that_does_not_fit_is_told_what_does(
    plan, monkeypatch: pytest.MonkeyPatch, largest: tuple[int, int], words: tuple, helps: list[str]
) -> None:
    """The device's memory is played; the changes and their order are not."""

    def small(*arguments: Any, **more: Any) -> None:
        run = next(each for each in arguments if isinstance(each, RunConfig))
        if run.training.batch_size > largest[run.model.activation_checkpointing]:
            raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(client_cost, "train_locally", small)
    assert client_cost.train_locally is not training.train_locally
    said = plan("method=fedmvp", "batch-size=8", *words)
    assert "more than there is at most" in said
    told = said.partition(" not fit; what would help: - ")[2].split(" - ")
    assert told[-1] == "a machine with more memory, or a smaller backbone"
    assert [way.partition(": fits, ")[0] for way in told[:-1]] == helps
    assert all("s a step" in way for way in told[:-1])


def test_a_method_that_trains_nothing_is_refused(tmp_path: Path) -> None:
    words = ["plan", "dataset=emojidomains", "pretrained=", "method=zs-clip"]
    result = CliRunner().invoke(cli.app, words)
    assert result.exit_code != 0
    assert "trains nothing" in result.output


def test_cards_are_filled_by_memory_and_machines_by_cpus_too() -> None:
    assert [at_once(CARD, cards, 100, 2) for cards in (1, 2, 8)] == [4, 8, 32]
    assert at_once(CARD, 8, 6, 2) == 6
    assert [at_once(MACHINE, machines, 100, 4) for machines in (1, 2)] == [4, 8]
    assert at_once(dataclasses.replace(CARD, memory=79 * GB), 8, 100, 2) == 0
    assert at_once(dataclasses.replace(CARD, memory=None), 8, 100, 2) == 0


@pytest.mark.parametrize(
    ("cards", "places", "each", "round", "run"),
    [(1, 4, 4, "60.0 s", "2.0 min"), (2, 8, 4, "30.0 s", "60.0 s"), (8, 30, 4, "8.0 s", "16.0 s")],
)
def test_the_answer_for_some_cards(
    cards: int, places: int, each: int, round: str, run: str
) -> None:
    """30 clients of 2 s on cards that hold four: places, and how many of them on each card."""
    console = Console(record=True, width=120, file=io.StringIO())
    print_cost(console, config(rounds=2), CARD, 30, 2, [cards])
    words = " ".join(console.export_text().split())
    assert f"the run {cards} {places} {each} {round} {run} training alone" in words


def test_flower_asks_no_more_than_32_at_once() -> None:
    assert at_once(dataclasses.replace(CARD, memory=GB), 8, 100, 2) == 32
    assert at_once(MACHINE, 100, 100, 4) == 32


def test_gpus_that_nobody_has_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    result = CliRunner().invoke(cli.app, ["plan", "demo", "--gpus", "8"])
    assert result.exit_code == 2
    assert "gpus is 8, but there is none here" in " ".join(result.output.split())
    assert CliRunner().invoke(cli.app, ["plan", "demo", "--gpus", "0"]).exit_code == 2


def test_a_card_is_shared_and_cpus_are_not() -> None:
    assert [round_seconds(CARD, cards, 16, 4) for cards in (1, 2, 8)] == [32.0, 16.0, 4.0]
    # 16 clients on 4 CPUs are 4 waves; on 32 the largest client alone decides.
    assert [round_seconds(MACHINE, machines, 16, 4) for machines in (1, 2, 8)] == [8.0, 4.0, 4.0]


def test_steps_of_a_round() -> None:
    assert steps_of(10, config(batch_size=4, local_epochs=3)) == 9
    assert steps_of(4, config(batch_size=4)) == 1


def test_ways_to_keep_less_depend_on_the_device_and_on_what_is_done_already(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 0))
    bf16, less = {"precision": "bf16"}, {"activation_checkpointing": True}
    card, machine = torch.device("cuda"), torch.device("cpu")
    assert ways_to_keep_less(config(), card) == [bf16, less]
    assert ways_to_keep_less(config(precision="bf16"), card) == [less]
    assert ways_to_keep_less(config(precision="bf16", activation_checkpointing=True), card) == []
    assert ways_to_keep_less(config(), machine) == [less]
    alone = {"clients_per_batch": 1}
    assert ways_to_keep_less(config(clients_per_batch=4), machine) == [alone, less]


def test_a_machine_that_is_too_small_is_told_ways_that_were_not_tried() -> None:
    large = dataclasses.replace(MACHINE, memory=15 * GB)
    assert what_would_help(config(batch_size=64), large, 6, 6, 2) == [
        "activation-checkpointing=true (now false)",
        "batch-size=32 (now 64)",
        "a machine with more memory, or a smaller backbone",
    ]
