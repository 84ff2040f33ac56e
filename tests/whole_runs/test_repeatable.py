"""Same configuration, same prompt tensors: bit for bit, whatever the order of the clients."""

import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from federation_harness import final_tensors, metric_rows, run_federation
from torch import Tensor

from fedmvp_core.config import RunConfig

CLIENTS = 3


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    """The first run's tensors and accuracies, filled by the first test that needs them."""
    return {}


def run(config: RunConfig, **grid_options: Any) -> tuple[dict[str, Tensor], list[Any]]:
    run_federation(config, CLIENTS, **grid_options)
    accuracies = [row for row in metric_rows(config) if row[2] in ("accuracy", "train-loss")]
    return final_tensors(config), accuracies


def the_reference(
    small_run: Callable[..., RunConfig], reference: dict[str, Any]
) -> tuple[dict[str, Tensor], list[Any]]:
    if not reference:
        reference["result"] = run(small_run(partition="iid"))
    result: tuple[dict[str, Tensor], list[Any]] = reference["result"]
    return result


def backwards(messages: Any) -> Any:
    return list(reversed(messages))


def shuffled(messages: Any) -> Any:
    return random.Random(3).sample(messages, len(messages))


@pytest.mark.parametrize(
    "grid_options",
    [{}, {"order": backwards}, {"order": shuffled}, {"fresh_processes": True}],
    ids=["again", "backwards", "shuffled", "a process for each message"],
)
def test_same_seed_gives_the_same_bits(
    small_run: Callable[..., RunConfig],
    reference: dict[str, Any],
    grid_options: dict[str, Any],
) -> None:
    tensors, accuracies = the_reference(small_run, reference)
    again, accuracies_again = run(small_run(partition="iid"), **grid_options)
    assert accuracies == accuracies_again
    assert tensors.keys() == again.keys()
    for name, value in tensors.items():
        assert torch.equal(value, again[name]), name


def test_another_seed_gives_other_tensors(
    small_run: Callable[..., RunConfig], reference: dict[str, Any]
) -> None:
    tensors, _ = the_reference(small_run, reference)
    other, _ = run(small_run(partition="iid", seed=2))
    assert not torch.equal(tensors["query.weight"], other["query.weight"])


def test_the_global_random_state_neither_matters_nor_changes(
    small_run: Callable[..., RunConfig], reference: dict[str, Any]
) -> None:
    tensors, _ = the_reference(small_run, reference)
    torch.manual_seed(77)
    before = torch.get_rng_state()
    again, _ = run(small_run(partition="iid"))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(value, again[name]) for name, value in tensors.items())
