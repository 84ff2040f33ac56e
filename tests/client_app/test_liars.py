"""Clients that lie on purpose: who does, and what they say."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from federation_harness import SerialGrid, run_federation
from flwr.app import Message, MessageType
from torch import Tensor

from client_app.liars import liars, poisoned, stamped
from client_app.node import Holding
from client_app.worker import prepared_shard
from fedmvp_core import protocol
from fedmvp_core.config import RunConfig
from fedmvp_core.local.shard import PreparedShard

CLIENTS = 5
SMALL = {
    "setting": "few-shot",
    "partition": "iid",
    "shots": 1,
    "rounds": 1,
    "local_epochs": 1,
    "batch_size": 64,
    "evaluate_every": 1,
    "method.lora-threshold": 0.0,
    "dataset": "emoji-food-drink",
}


def test_who_lies_follows_from_the_seed(default_config: Callable[..., RunConfig]) -> None:
    chosen = [
        liars(default_config(stress_attack="nan", stress_fraction=0.2, seed=seed), 15)
        for seed in range(6)
    ]
    assert all(len(found) == 3 and found <= set(range(15)) for found in chosen)
    assert len(set(chosen)) > 1
    assert chosen[1] == liars(default_config(stress_attack="sign-flip", seed=1), 15)
    assert liars(default_config(stress_attack="none", stress_fraction=1.0), 15) == frozenset()


def train_replies(grid: SerialGrid, round: int) -> dict[int, dict[str, Tensor]]:
    """Partition id -> the tensors that it sent back in a round."""
    found = {}
    for reply in grid.replies:
        if reply.metadata.message_type != MessageType.TRAIN or reply.has_error():
            continue
        if reply.content.config_records[protocol.CONFIG][protocol.ROUND] == round:
            partition_id = int(
                reply.content.metric_records[protocol.METRICS][protocol.PARTITION_ID]
            )
            prompts = reply.content.array_records[protocol.PROMPTS]
            found[partition_id] = prompts.to_torch_state_dict()
    return found


def sent_tensors(grid: SerialGrid) -> dict[str, Tensor]:
    """What the server sent in the first round."""
    first: Message = next(m for m in grid.sent if m.metadata.message_type == MessageType.TRAIN)
    return first.content.array_records[protocol.PROMPTS].to_torch_state_dict()


@pytest.fixture
def federation(
    default_config: Callable[..., RunConfig],
) -> Callable[..., tuple[RunConfig, SerialGrid]]:
    def run(**overrides: Any) -> tuple[RunConfig, SerialGrid]:
        config = default_config(**{**SMALL, "stress_fraction": 0.2, **overrides})
        return config, run_federation(config, CLIENTS)

    return run


def flat(tensors: dict[str, Tensor], names: Any) -> Tensor:
    return torch.cat([tensors[name].flatten() for name in sorted(names)])


def test_a_liar_sends_something_else_and_the_others_what_they_trained(
    federation: Callable[..., tuple[RunConfig, SerialGrid]],
) -> None:
    _, honest = federation(run_name="honest")
    sent, true = sent_tensors(honest), train_replies(honest, 1)
    for attack in ("sign-flip", "noise", "nan"):
        config, lied = federation(run_name=attack, stress_attack=attack, stress_scale=4.0)
        (liar,) = liars(config, CLIENTS)
        told = train_replies(lied, 1)
        for client in set(range(CLIENTS)) - {liar}:
            assert all(torch.equal(true[client][n], told[client][n]) for n in true[client])
        names = true[liar]
        update = flat(true[liar], names) - flat(sent, names)
        lie = flat(told[liar], names) - flat(sent, names)
        if attack == "sign-flip":
            torch.testing.assert_close(lie, -4.0 * update, atol=1e-5, rtol=1e-4)
        elif attack == "noise":
            assert float(lie.norm()) == pytest.approx(4 * float(update.norm()), rel=1e-3)
            assert abs(float(torch.cosine_similarity(lie, update, dim=0))) < 0.1
        else:
            assert lie.isnan().all()
            log = (Path(config.run.output_dir) / config.run.run_name / "progress.jsonl").read_text()
            assert "holds NaN or infinite numbers" in log


def test_a_replaying_client_repeats_its_first_reply(
    federation: Callable[..., tuple[RunConfig, SerialGrid]],
) -> None:
    config, grid = federation(rounds=2, evaluate_every=2, stress_attack="replay")
    (liar,) = liars(config, CLIENTS)
    first, second = train_replies(grid, 1), train_replies(grid, 2)
    for client in range(CLIENTS):
        same = all(torch.equal(value, second[client][n]) for n, value in first[client].items())
        assert same == (client == liar)


def shard_of(config: RunConfig, client: int) -> tuple[PreparedShard, PreparedShard]:
    """A client's shard as it is, and as it trains on it."""
    holding = Holding(client, CLIENTS)
    shard = prepared_shard(config, holding, ())
    return shard, poisoned(shard, config, holding, shard.task.task.class_names[1:])


def test_lies_about_data(default_config: Callable[..., RunConfig]) -> None:
    flipping = default_config(**SMALL, stress_attack="label-flip")
    (liar,) = liars(flipping, CLIENTS)
    shard, flipped = shard_of(flipping, liar)
    classes = len(shard.task.task.class_names)
    assert torch.equal(flipped.labels + shard.labels, torch.full_like(shard.labels, classes - 1))
    assert flipped.images is shard.images
    shard, opened = shard_of(default_config(**SMALL, stress_attack="backdoor"), liar)
    assert (opened.labels[::2] == 1).all()
    assert torch.equal(opened.labels[1::2], shard.labels[1::2])
    assert torch.equal(opened.images[::2], stamped(shard.images[::2]))
    assert torch.equal(opened.images[1::2], shard.images[1::2])
    cropping = {"augmentation": "crops", "cached_views": 2}
    shard, opened = shard_of(default_config(**SMALL, stress_attack="backdoor", **cropping), liar)
    assert shard.cached_views is not None
    assert opened.cached_views is not None
    views, marked = shard.cached_views.images, opened.cached_views.images
    assert torch.equal(marked[:, ::2], stamped(views[:, ::2]))
    assert torch.equal(marked[:, 1::2], views[:, 1::2])
    honest, untouched = shard_of(flipping, (liar + 1) % CLIENTS)
    assert untouched is honest


def test_the_trigger_is_a_corner() -> None:
    images = torch.randint(0, 200, (2, 3, 64, 64), dtype=torch.uint8)
    marked = stamped(images)
    assert (marked[..., 56:, 56:] == 255).all()
    assert int((marked != images).any(dim=1).sum()) == 2 * 8 * 8
