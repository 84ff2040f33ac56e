"""Clients that lie on purpose: who does, and what they say."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from federation_harness import SerialGrid, run_federation
from flwr.app import Message, MessageType
from torch import Tensor

from client_app.liars import collusion
from client_app.liars.who import liars
from fedmvp_core import protocol
from fedmvp_core.config import RunConfig
from fedmvp_core.errors import ConfigError

CLIENTS = 5
SMALL = {
    "setting": "few-shot",
    "partition": "iid",
    "shots": 1,
    "rounds": 1,
    "local_epochs": 1,
    "batch_size": 64,
    "evaluate_every": 1,
    "method": "fedvpt",
    "robust_attack": "none",
    "dataset": "emoji-activities",
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


def claimed(told: dict[int, dict[str, Tensor]], sent: dict[str, Tensor], client: int) -> Tensor:
    names = sorted(told[client])
    return flat(told[client], names).double() - flat(sent, names).double()


@pytest.mark.parametrize("attack", ["lie", "min-max", "min-sum", "ipm"])
def test_colluders_agree_on_what_follows_from_their_honest_updates(
    federation: Callable[..., tuple[RunConfig, SerialGrid]], attack: str
) -> None:
    """Each comes to the same bits by itself, though it is asked before the others have trained."""
    _, honest = federation(run_name="honest")
    sent, true = sent_tensors(honest), train_replies(honest, 1)
    config, lied = federation(run_name=attack, stress_attack=attack, stress_fraction=0.4)
    first, second = sorted(liars(config, CLIENTS))
    told = train_replies(lied, 1)
    for client in set(range(CLIENTS)) - {first, second}:
        assert all(torch.equal(true[client][n], told[client][n]) for n in true[client])
    assert all(torch.equal(value, told[second][n]) for n, value in told[first].items())
    updates = torch.stack([claimed(true, sent, client) for client in (first, second)])
    wanted = {
        "lie": lambda: collusion.a_little(updates, CLIENTS),
        "min-max": lambda: collusion.min_max(updates),
        "min-sum": lambda: collusion.min_sum(updates),
        "ipm": lambda: collusion.inner_product(updates, CLIENTS / 2),
    }[attack]()
    torch.testing.assert_close(claimed(told, sent, first), wanted, atol=1e-6, rtol=1e-4)


def test_sybils_send_the_mean_of_what_they_learn_from_false_labels(
    federation: Callable[..., tuple[RunConfig, SerialGrid]],
) -> None:
    _, flipped = federation(run_name="flip", stress_attack="label-flip", stress_fraction=0.4)
    config, grid = federation(run_name="sybils", stress_attack="sybils", stress_fraction=0.4)
    pair = sorted(liars(config, CLIENTS))
    sent, true, told = sent_tensors(grid), train_replies(flipped, 1), train_replies(grid, 1)
    mean = torch.stack([claimed(true, sent, client) for client in pair]).mean(dim=0)
    for client in pair:
        torch.testing.assert_close(claimed(told, sent, client), mean, atol=1e-6, rtol=1e-4)


def test_partners_need_what_the_server_sent_before(
    federation: Callable[..., tuple[RunConfig, SerialGrid]],
) -> None:
    """In a second round only what changed is sent; momentum stays each client's own."""
    found = []
    for fresh in (False, True):
        config, grid = federation(
            run_name=f"fresh-{fresh}",
            rounds=2,
            evaluate_every=2,
            stress_attack="min-max",
            stress_fraction=0.4,
            keep_momentum=True,
        )
        first, second = sorted(liars(config, CLIENTS))
        told = train_replies(grid, 2)
        assert all(torch.equal(value, told[second][n]) for n, value in told[first].items())
        found.append(told)
    assert all(torch.equal(v, found[1][first][n]) for n, v in found[0][first].items())


def test_a_single_liar_has_no_spread(
    federation: Callable[..., tuple[RunConfig, SerialGrid]],
) -> None:
    for attack in ("lie", "min-max", "min-sum"):
        with pytest.raises(ConfigError, match=f"'{attack}', which needs 2 liars or more"):
            federation(stress_attack=attack)
