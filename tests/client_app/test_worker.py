"""One backbone and one set of shards a process, however many clients it plays."""

from collections.abc import Callable

import torch

from client_app import worker
from client_app.node import Holding
from fedmvp_core.config import RunConfig
from fedmvp_core.methods import find_method


def test_clients_of_a_process_share_backbone_and_pictures(
    small_run: Callable[..., RunConfig],
) -> None:
    config = small_run()
    assert worker.configured_backbone(config) is worker.configured_backbone(config)
    first, second = (worker.prepared_shard(config, Holding(i, 3), ()) for i in range(2))
    assert worker.prepared_shard(config, Holding(0, 3), ()) is first
    assert second.partition_id == 1
    assert worker._shards.cache_info().misses == 1


def test_another_configuration_gets_shards_of_its_own(
    small_run: Callable[..., RunConfig],
) -> None:
    few, many = small_run(shots=1), small_run(shots=4)
    assert len(worker.prepared_shard(few, Holding(0, 3), ()).labels) == 1
    assert len(worker.prepared_shard(many, Holding(0, 3), ()).labels) == 4


def test_random_weights_are_an_empty_string_in_the_configuration(
    small_run: Callable[..., RunConfig],
) -> None:
    assert worker.configured_backbone(small_run(pretrained="")).pretrained is None


def test_what_one_client_trains_is_not_in_the_next_ones_module(
    small_run: Callable[..., RunConfig],
) -> None:
    config = small_run()
    first = worker.new_prompting(config, ())
    untrained = first.prompt_tensors()
    with torch.no_grad():
        for parameter in first.parameters():
            parameter.add_(1).requires_grad_(False)
    second = worker.new_prompting(config, ())
    assert all(torch.equal(v, untrained[n]) for n, v in second.prompt_tensors().items())
    assert all(parameter.requires_grad for parameter in second.parameters())
    drawn = find_method(config).build_prompting(worker.configured_backbone(config), ())
    assert all(torch.equal(v, untrained[n]) for n, v in drawn.prompt_tensors().items())
