"""`fedmvp plan`: one client is measured, and what a run takes follows from it."""

import dataclasses
import io
from pathlib import Path

import pytest
import torch
from rich.console import Console
from typer.testing import CliRunner

from fedmvp_core import training
from fedmvp_core.config import RunConfig, parse_config
from simulations import cli
from simulations.runner import client_cost
from simulations.runner.client_cost import ClientCost, steps_of
from simulations.runner.cost_tables import at_once, print_cost, round_seconds, what_would_help
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


def test_a_client_that_does_not_fit_is_told_what_would_help(
    plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object, **more: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(client_cost, "train_locally", full)
    assert client_cost.train_locally is not training.train_locally
    words = plan("method=fedmvp", "batch-size=32")
    assert "more than there is at most" in words
    assert "one client does not fit; what would help: - batch-size=16 (now 32)" in words


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


def test_what_would_help_depends_on_what_is_done_already() -> None:
    whole = what_would_help(CARD, config(batch_size=64))
    assert whole[:2] == ["batch-size=32 (now 64)", "precision=bf16 (now fp32)"]
    small = what_would_help(CARD, config(batch_size=1, precision="bf16"))
    assert len(small) == 1
