"""Secure aggregation: whole federations whose server learns means alone."""

import logging
import math
import struct
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from federation_harness import (
    FIRST_NODE,
    SerialGrid,
    error_reply,
    final_tensors,
    metric_rows,
    run_federation,
    run_folder,
)
from flwr.app import Message, MessageType
from flwr.common.serde import recorddict_to_proto
from torch import Tensor

from fedmvp_core import protocol
from fedmvp_core.config import RunConfig
from fedmvp_core.errors import ConfigError, FedMVPError
from fedmvp_core.run_folder import read_status
from fedmvp_core.secure.records import ASK_KEYS, ASK_SHARES, ASK_UNMASK
from server_app.start_checks import check_start
from simulations.runner.inline import logged_to, play

Make = Callable[..., RunConfig]
TRAIN = MessageType.TRAIN
STAGES = {"keys": ASK_KEYS, "shares": ASK_SHARES, "vector": TRAIN, "unmask": ASK_UNMASK}


@pytest.fixture
def quick_run(small_run: Make) -> Make:
    """Few numbers and few steps; no update is so long that it would be clipped."""

    def make(**overrides: Any) -> RunConfig:
        quick = {"method": "promptfl", "partition": "iid", "shots": 2, "local_epochs": 1}
        quick |= {"rounds": 1, "max_update_norm": 0.0, "clipping_norm": 50.0}
        return small_run(**(quick | overrides))

    return make


@pytest.fixture
def secure_run(quick_run: Make) -> Make:
    return lambda **overrides: quick_run(**({"secure_aggregation": True} | overrides))


def dropping(
    stage: str, clients: Sequence[int], times: int = 1000
) -> Callable[[Message, int], Message | None]:
    """These clients fail when they are asked for something, the first `times` times each."""
    left = dict.fromkeys(clients, times)

    def intercept(message: Message, partition_id: int) -> Message | None:
        kind = message.metadata.message_type
        if kind.removeprefix("query.") != STAGES[stage] or not left.get(partition_id):
            return None
        left[partition_id] -= 1
        return error_reply(message, "the connection is lost")

    return intercept


def of_metric(config: RunConfig, metric: str) -> list[float]:
    return [v for _, split, name, v in metric_rows(config) if (split, name) == ("train", metric)]


def largest_difference(one: RunConfig, other: RunConfig) -> float:
    ends, others = final_tensors(one), final_tensors(other)
    assert ends.keys() == others.keys()
    return max(float((value - others[name]).abs().max()) for name, value in ends.items())


# --- the mean


@pytest.mark.parametrize("weighting", ["uniform", "examples"])
def test_two_of_eight_drop_out_and_the_mean_is_the_plain_one_of_the_six(
    quick_run: Make, tmp_path: Path, weighting: str
) -> None:
    keys = {"weighting": weighting, "shots": 5, "shot_sampling": "coop"}
    plain = quick_run(run_name="plain", **keys)
    secure = quick_run(run_name="secure", secure_aggregation=True, **keys)
    seen = run_federation(plain, 8, intercept=dropping("vector", [2, 5]))
    log = tmp_path / "server.log"
    with logged_to(log):
        logging.getLogger("flwr").setLevel(logging.DEBUG)
        hidden = run_federation(secure, 8, intercept=dropping("vector", [2, 5]))
    held = [v for _, split, name, v in metric_rows(secure) if name == "num-examples"]
    assert len(set(held)) > 1, "weights differ"
    assert of_metric(plain, "clients") == of_metric(secure, "clients") == [6]
    (bound,) = of_metric(secure, "secagg-error-bound")
    assert largest_difference(plain, secure) <= bound < 1e-5
    updates = sent_updates(seen)
    assert len(updates) == 6
    files = [path for path in run_folder(secure).rglob("*") if path.is_file()]
    contents = {str(path): path.read_bytes() for path in (*files, log)}
    contents |= {f"reply {i}": serialised(r) for i, r in enumerate(hidden.replies)}
    needles = [needle for one in updates for needle in traces(*one)]
    assert not [name for name, data in contents.items() for n in needles if n in data]
    # The search would find them: the mean is in the checkpoint, each update in the plain replies.
    end = next(iter(final_tensors(secure).values()))
    assert any(raw(end.reshape(-1)[:6]) in data for data in contents.values())
    told = [serialised(reply) for reply in seen.replies]
    assert all(any(n in data for data in told for n in traces(*one)) for one in updates)


def sent_updates(grid: SerialGrid) -> list[tuple[dict[str, Tensor], dict[str, Tensor]]]:
    """What each client of a plain round was sent and what it trained."""
    asked = {m.metadata.dst_node_id: m for m in grid.sent if m.metadata.message_type == TRAIN}
    replies = [r for r in grid.replies if r.has_content() and protocol.PROMPTS in r.content]
    return [
        tuple(m.content.array_records[protocol.PROMPTS].to_torch_state_dict() for m in pair)
        for pair in ((asked[reply.metadata.src_node_id], reply) for reply in replies)
    ]  # type: ignore[return-value]


def traces(received: dict[str, Tensor], trained: dict[str, Tensor]) -> Iterator[bytes]:
    """Bytes and words by which an update, its tensors or its length would be known."""
    updates = {name: value - received[name] for name, value in trained.items()}
    for tensors in (trained, updates):
        for value in tensors.values():
            flat = value.reshape(-1)
            for start in range(0, max(1, len(flat) - 6), max(1, len(flat) // 50)):
                yield raw(flat[start : start + 6])
                yield raw(flat[start : start + 6].double())
    for tensors in (trained, updates):
        norm = math.sqrt(sum(float(v.double().square().sum()) for v in tensors.values()))
        yield f"{norm:.5g}".encode()
        yield struct.pack("<d", norm)[2:]
        yield struct.pack("<f", norm)


def raw(numbers: Tensor) -> bytes:
    return numbers.contiguous().numpy().tobytes()


def serialised(reply: Message) -> bytes:
    return recorddict_to_proto(reply.content).SerializeToString() if reply.has_content() else b""


@pytest.mark.parametrize(
    "keys",
    [
        {"aggregation": "fedavgm"},
        {"secagg_shares": 3},
        pytest.param({"aggregation": "fedprox"}, marks=pytest.mark.slow),
        pytest.param({"clients_per_batch": 2}, marks=pytest.mark.slow),
        pytest.param({"method": "fedpgp"}, marks=pytest.mark.slow),  # keeps personal tensors
    ],
)
def test_what_goes_with_it_ends_within_the_bound(quick_run: Make, keys: dict[str, Any]) -> None:
    plain = {key: value for key, value in keys.items() if "secagg" not in key}
    one = quick_run(run_name="plain", **plain)
    other = quick_run(run_name="secure", secure_aggregation=True, **keys)
    clients = 4 if "secagg_shares" in keys else 3
    run_federation(one, clients)
    run_federation(other, clients)
    (bound,) = of_metric(other, "secagg-error-bound")
    assert largest_difference(one, other) <= bound


def test_every_client_clips_its_update(secure_run: Make) -> None:
    config = secure_run(clipping_norm=1e-3)
    grid = run_federation(config, 3)
    start = next(
        m.content.array_records[protocol.PROMPTS].to_torch_state_dict()
        for m in grid.sent
        if m.metadata.message_type == TRAIN
    )
    moved = sum(
        float((v - start[n]).double().square().sum()) for n, v in final_tensors(config).items()
    )
    assert 0 < math.sqrt(moved) <= 1e-3 * 1.001


def test_neither_processes_nor_the_order_of_replies_change_a_bit(secure_run: Make) -> None:
    """What clients keep between the questions lives in Flower's context alone."""
    ends = []
    for name, options in (
        ("one", {}),
        ("fresh", {"fresh_processes": True}),
        ("backwards", {"order": lambda messages: messages[::-1]}),
    ):
        config = secure_run(run_name=name, rounds=2)
        grid = run_federation(config, 3, **options)
        ends.append(final_tensors(config))
        assert not [c for c in grid.contexts.values() if "secure-kept" in c.state], "let go of"
    for other in ends[1:]:
        assert all(torch.equal(value, other[name]) for name, value in ends[0].items())


# --- dropouts


@pytest.mark.parametrize("stage", STAGES)
def test_a_client_may_drop_out_at_any_stage(secure_run: Make, stage: str) -> None:
    config = secure_run(rounds=2)
    run_federation(config, 5, intercept=dropping(stage, [3], times=1))
    counted = 5 if stage == "unmask" else 4
    assert of_metric(config, "clients") == [counted, 5]
    assert of_metric(config, "failed-clients") == [5 - counted, 0]
    refused = of_metric(config, "refused-failed")
    assert refused == ([] if stage == "unmask" else [1])


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        ("keys", "round 1: secure aggregation: 2 clients have told their keys, and 3 are needed"),
        ("shares", "2 clients have shared their secrets, and 3 are needed .*connection is lost"),
        ("vector", r"2 clients have sent a masked vector, and 3 are needed \(secagg-threshold is"),
        ("unmask", "2 of the 5 holders of client 0's shares answer, secagg-threshold is 3"),
    ],
)
def test_below_the_threshold_the_run_ends_and_says_so(
    secure_run: Make, stage: str, words: str
) -> None:
    config = secure_run()
    with pytest.raises(FedMVPError, match=words):
        run_federation(config, 5, intercept=dropping(stage, [1, 3, 4]))
    status = read_status(run_folder(config))
    assert status["status"] == "failed"
    assert status["rounds-completed"] == 0


def test_a_round_may_be_repeated_with_new_keys(secure_run: Make) -> None:
    config, whole = secure_run(run_name="again", on_too_few="repeat"), secure_run(run_name="whole")
    grid = run_federation(config, 3, intercept=dropping("unmask", [0, 2], times=1))
    run_federation(whole, 3)
    assert largest_difference(config, whole) == 0
    attempts = {
        m.content.config_records["secure"]["attempt"] for m in grid.sent if "secure" in m.content
    }
    assert len(attempts) == 2


def test_a_run_that_died_before_the_masks_came_off_plays_its_round_again(secure_run: Make) -> None:
    whole, keys = secure_run(run_name="whole", rounds=2), {"run_name": "broken", "rounds": 2}
    run_federation(whole, 3)

    def die(message: Message, partition_id: int) -> None:
        facts = message.content.config_records[protocol.CONFIG]
        if message.metadata.message_type.endswith(ASK_UNMASK) and facts[protocol.ROUND] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_federation(secure_run(**keys), 3, intercept=die)
    again = secure_run(**keys, resume="latest")
    run_federation(again, 3)
    assert largest_difference(whole, again) == 0


def test_who_answers_for_another_is_no_client(secure_run: Make) -> None:
    class LyingGrid(SerialGrid):
        def answer(self, message: Message) -> Message:
            reply = super().answer(message)
            first = message.metadata.dst_node_id == FIRST_NODE
            if first and message.metadata.message_type.endswith(ASK_KEYS):
                reply.content.config_records["secure"]["partition-id"] = 2
            return reply

    config = secure_run()
    play(config, LyingGrid(config, 4))
    assert of_metric(config, "refused-secagg") == [1]
    assert of_metric(config, "clients") == [3]


# --- before round 1


@pytest.mark.parametrize(
    ("keys", "clients", "words"),
    [
        ({"secagg_threshold": 6}, 5, "secagg-threshold is 6, which needs 6 clients a round"),
        ({"fraction_train": 0.4}, 5, "secure-aggregation is true, which needs 3 clients a round"),
        ({"secagg_shares": 4}, 6, "secagg-shares is 4 of 6 clients; allowed: an odd number"),
        (
            {"method": "fedmvp", "method.lora-threshold": 0.5},
            5,
            "method 'fedmvp' has the phases .* allowed with it: one phase .*lora-threshold=0",
        ),
    ],
)
def test_what_cannot_be_is_said_before_the_first_round(
    secure_run: Make, keys: dict[str, Any], clients: int, words: str
) -> None:
    config = secure_run(**keys)
    with pytest.raises(ConfigError, match=words):
        check_start(config, clients)
    with pytest.raises(ConfigError, match=words):
        run_federation(config, clients)
    assert not metric_rows(config) if (run_folder(config) / "metrics.csv").exists() else True
