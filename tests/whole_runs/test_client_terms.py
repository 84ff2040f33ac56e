"""Federations whose aggregation asks clients for more than their objective."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from federation_harness import final_tensors, metric_rows, run_federation, run_folder
from flwr.app import Message, MessageType
from torch import Tensor

from fedmvp_core import protocol
from fedmvp_core.config import RunConfig
from fedmvp_core.run_folder import read_status

Make = Callable[..., RunConfig]
CLIENTS = 3


@pytest.fixture
def run(small_run: Make) -> Make:
    """Several steps a round, in both phases, with momentum."""

    def make(**overrides: Any) -> RunConfig:
        several: dict[str, Any] = {"rounds": 3, "local_epochs": 2, "batch_size": 2}
        phases = {"method.lora-threshold": 1e9, "method.lora-init": "normal"}
        return small_run(**(several | {"overwrite": True, **phases} | overrides))

    return make


def prompts_of(config: RunConfig) -> dict[str, Tensor]:
    """The final prompt tensors, without what terms exchange."""
    return {n: t for n, t in final_tensors(config).items() if not n.startswith("term/")}


def equal(found: dict[str, Tensor], expected: dict[str, Tensor]) -> bool:
    return found.keys() == expected.keys() and all(
        torch.equal(value, found[name]) for name, value in expected.items()
    )


def end_in_round(number: int) -> Callable[[Message, int], Message | None]:
    """Ends the run when the second client is asked in a round."""

    def end(message: Message, partition_id: int) -> Message | None:
        if message.metadata.message_type != MessageType.TRAIN or partition_id != 1:
            return None
        if message.content.config_records[protocol.CONFIG][protocol.ROUND] == number:
            raise KeyboardInterrupt
        return None

    return end


def test_fedprox_without_weight_is_fedavg(run: Make) -> None:
    plain, none = run(run_name="plain"), run(aggregation="fedprox", **{"aggregation.mu": 0.0})
    some = run(run_name="some", aggregation="fedprox", **{"aggregation.mu": 1.0})
    for config in (plain, none, some):
        run_federation(config, CLIENTS)
    assert equal(final_tensors(none), final_tensors(plain))
    assert not equal(final_tensors(some), final_tensors(plain))


def test_scaffold_with_one_client_is_fedavg(run: Make) -> None:
    plain, scaffold = run(run_name="plain"), run(aggregation="scaffold")
    run_federation(plain, clients=1)
    run_federation(scaffold, clients=1)
    assert equal(prompts_of(scaffold), prompts_of(plain))
    variates = {n: t for n, t in final_tensors(scaffold).items() if n not in prompts_of(plain)}
    assert {name.removeprefix("term/scaffold/") for name in variates} == set(prompts_of(plain))
    assert any(value.any() for value in variates.values())


def test_scaffold_is_repeatable_whatever_the_order_of_clients(run: Make) -> None:
    config, plain = run(aggregation="scaffold"), run(run_name="plain")
    run_federation(plain, CLIENTS)
    run_federation(config, CLIENTS)
    expected = final_tensors(config)
    assert not equal(prompts_of(config), prompts_of(plain))

    def backwards(messages: Sequence[Message]) -> Sequence[Message]:
        return messages[::-1]

    for options in ({"order": backwards}, {"fresh_processes": True}):
        run_federation(config, CLIENTS, **options)
        assert equal(final_tensors(config), expected), options
    assert read_status(run_folder(config))["status"] == "completed"


def test_scaffold_goes_on_with_the_variates_that_clients_kept(run: Make) -> None:
    """Server and clients have lost their memory; the checkpoint and the clients' disks have not."""
    undisturbed, config = run(aggregation="scaffold", run_name="whole"), run(aggregation="scaffold")
    run_federation(undisturbed, CLIENTS)
    with pytest.raises(KeyboardInterrupt):
        run_federation(config, CLIENTS, intercept=end_in_round(3))
    run_federation(config.with_values(resume="latest", overwrite=False), CLIENTS)
    assert equal(final_tensors(config), final_tensors(undisturbed))


def test_a_part_of_the_clients_trains_with_variates_too(run: Make) -> None:
    config = run(aggregation="scaffold", fraction_train=0.67, rounds=4)
    grid = run_federation(config, CLIENTS)
    assert not any(reply.has_error() for reply in grid.replies)
    assert {v for _, s, m, v in metric_rows(config) if (s, m) == ("train", "clients")} == {2.0}
    assert all(value.isfinite().all() for value in final_tensors(config).values())
