"""Whole Flower strategies of plugins: they are used as they are, and refused with a sentence."""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import pytest
import torch
from federation_harness import (
    SerialGrid,
    final_tensors,
    metric_rows,
    run_federation,
    run_folder,
)
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MessageType, MetricRecord
from flwr.serverapp import Grid
from flwr.serverapp.strategy import FedAvg, FedAvgM, FedProx
from plugins import install
from torch import Tensor

from fedmvp_core import protocol
from fedmvp_core.config import RunConfig
from fedmvp_core.errors import ConfigError, FedMVPError
from fedmvp_core.registry import STRATEGIES
from fedmvp_core.run_folder import read_status
from server_app.guest_strategy import make_strategy

Make = Callable[..., RunConfig]
Aggregated = tuple[ArrayRecord | None, MetricRecord | None]
CLIENTS = 3


@pytest.fixture
def guest(monkeypatch: pytest.MonkeyPatch, small_run: Make) -> Make:
    """Configurations of small runs with a strategy of a plugin."""

    def make(plugin: Any, **overrides: Any) -> RunConfig:
        install(monkeypatch, STRATEGIES, "guest", plugin)
        return small_run(**{"strategy": "guest", "shots": 2, "local_epochs": 1, **overrides})

    return make


def replies_of(grid: SerialGrid, round_number: int) -> list[dict[str, Tensor]]:
    """The tensors that the clients sent in a round."""
    return [
        reply.content.array_records[protocol.PROMPTS].to_torch_state_dict()
        for reply in grid.replies
        if reply.metadata.message_type == MessageType.TRAIN
        and reply.content.config_records[protocol.CONFIG][protocol.ROUND] == round_number
    ]


def training(grid: SerialGrid) -> list[Message]:
    return [m for m in grid.sent if m.metadata.message_type == MessageType.TRAIN]


class Halving(FedAvg):
    """Half of the mean; `seen` are the metrics and the names of the tensors of its replies."""

    seen: ClassVar[list[tuple[dict[str, Any], tuple[str, ...]]]] = []

    def aggregate_train(self, server_round: int, replies: Iterable[Message]) -> Aggregated:
        replies = list(replies)
        for reply in replies:
            (record,) = reply.content.array_records.values()
            (metrics,) = reply.content.metric_records.values()
            self.seen.append((dict(metrics), tuple(record)))
        record, metrics = super().aggregate_train(server_round, replies)
        assert record is not None
        return ArrayRecord({n: Array(a.numpy() / 2) for n, a in record.items()}), metrics


def test_its_results_are_those_of_the_run(guest: Make) -> None:
    Halving.seen = []
    config = guest(Halving, rounds=2, **{"method.lora-threshold": 0})
    grid = run_federation(config, CLIENTS)
    sent, found = replies_of(grid, 2), final_tensors(config)
    assert len(sent) == CLIENTS
    for name in sent[0]:
        mean = torch.stack([tensors[name].double() for tensors in sent]).mean(dim=0)
        torch.testing.assert_close(found[name], (mean / 2).float(), rtol=1e-5, atol=1e-7)
    # A client's phase leaves LoRA alone: its tensors are in the replies as they were sent.
    metrics, names = Halving.seen[-1]
    assert set(names) == set(found)
    assert not any("lora" in name for name in sent[0])
    assert metrics[protocol.NUM_EXAMPLES] == 2
    assert metrics[protocol.TRAIN_LOSS] > 0
    assert len(Halving.seen) == 2 * CLIENTS
    rows = {(n, s, m) for n, s, m, _ in metric_rows(config)}
    assert {(2, "base", "accuracy"), (1, "train", "loss"), (2, "client-001", "bytes-up")} <= rows
    assert read_status(run_folder(config))["status"] == "completed"


class Choosing(FedAvg):
    """Asks one client of the lowest node id, and tells it something."""

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        config["temperature"] = 0.5 * server_round
        messages = list(super().configure_train(server_round, arrays, config, grid))
        return sorted(messages, key=lambda m: m.metadata.dst_node_id)[:1]


def test_it_chooses_whom_a_round_asks_and_what_clients_are_told(guest: Make) -> None:
    grid = run_federation(guest(Choosing), CLIENTS)
    assert [m.metadata.dst_node_id for m in training(grid)] == [1000, 1000]
    told = [
        protocol.strategy_config_of(m.content.config_records[protocol.CONFIG], "")
        for m in training(grid)
    ]
    assert [t["temperature"] for t in told] == [0.5, 1.0]


# --- refusals


class Refused(FedAvg):
    """Misbehaves as `way` says."""

    def __init__(self, way: str = "") -> None:
        super().__init__()
        self.way = way

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        if self.way == "nobody":
            return []
        if self.way == "lists":
            config["temperatures"] = [0.5, 1.0]
        if self.way == "raises early":
            raise ValueError("no plan")
        if self.way == "other arrays":
            arrays = ArrayRecord({n: Array(a.numpy() + 1) for n, a in arrays.items()})
        return super().configure_train(server_round, arrays, config, grid)

    def aggregate_train(self, server_round: int, replies: Iterable[Message]) -> Aggregated:
        record, metrics = super().aggregate_train(server_round, replies)
        assert record is not None
        first = next(iter(record))
        changed = {n: a.numpy().copy() for n, a in record.items()}
        if self.way == "raises":
            raise ValueError("no idea")
        if self.way == "nothing":
            return None, None
        if self.way in ("nan", "inf"):
            changed[first].flat[0] = float(self.way)
        if self.way == "shapes":
            changed[first] = changed[first][None]
        if self.way == "names":
            changed["more"] = changed[first]
        if self.way == "fewer":
            del changed[first]
        return ArrayRecord({n: Array(a) for n, a in changed.items()}), metrics


@pytest.mark.parametrize(
    ("way", "sentence"),
    [
        ("raises", "strategy 'guest' fails in aggregate_train: ValueError: no idea"),
        ("raises early", "strategy 'guest' fails in configure_train: ValueError: no plan"),
        ("lists", r"strategy 'guest' tells clients temperatures = \[0.5, 1.0\]; allowed: numbers"),
        ("nobody", "strategy 'guest' asks none of 3 clients"),
        ("nothing", "strategy 'guest' makes nothing of 3 updates"),
        ("nan", "strategy 'guest' returns NaN or infinite numbers in 'project_attributes.weight'"),
        ("inf", "strategy 'guest' returns NaN or infinite numbers in 'project_attributes.weight'"),
        ("shapes", r"another schema: project_attributes.weight \(1, .*; expected project_attr"),
        ("names", "strategy 'guest' returns tensors of another schema"),
        ("fewer", "strategy 'guest' returns tensors of another schema"),
        ("other arrays", "strategy 'guest' sends other arrays than the global ones"),
    ],
)
def test_what_cannot_be_used_is_refused(guest: Make, way: str, sentence: str) -> None:
    config = guest(Refused, strategy_options=f"way='{way}'")
    with pytest.raises(FedMVPError, match=sentence):
        run_federation(config, CLIENTS)
    status = read_status(run_folder(config))
    assert status["status"] == "failed"
    assert "'guest'" in str(status["error"])


def test_a_strategy_that_makes_nothing_of_a_round_may_repeat_it(guest: Make) -> None:
    config = guest(Refused, strategy_options="way=nothing", on_too_few="repeat", round_retries=2)
    with pytest.raises(FedMVPError, match="makes nothing of 3 updates"):
        run_federation(config, CLIENTS)
    text = (run_folder(config) / "progress.jsonl").read_text()
    assert text.count('"event": "repeat"') == 2


# --- options


class Options(FedAvg):
    """Takes some of every type."""

    def __init__(
        self, rate: float = 0.5, steps: int = 3, nesterov: bool = False, kind: str = "a"
    ) -> None:
        super().__init__()
        if steps < 0:
            raise ValueError("steps below 0")
        self.options = (rate, steps, nesterov, kind)


def test_options_are_arguments_of_the_constructor(guest: Make) -> None:
    config = guest(Options)
    assert vars(make_strategy(config.federation))["options"] == (0.5, 3, False, "a")
    config = guest(Options, strategy_options="rate=2 steps=4 nesterov=true kind='b c'")
    found = vars(make_strategy(config.federation))["options"]
    assert found == (2.0, 4, True, "b c")
    assert [type(value) for value in found] == [float, int, bool, str]
    kebab = make_strategy(guest(FedAvg, strategy_options="fraction-train=0.5").federation)
    assert isinstance(kebab, FedAvg)
    assert kebab.fraction_train == 0.5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rat=1", "strategy 'guest' has no option 'rat'; did you mean rate"),
        ("rate=fast", "strategy 'guest': option rate is 'fast'; allowed: a value of type float"),
        ("steps=1.5", r"option steps is '1\.5'; allowed: a value of type int"),
        ("nesterov=maybe", "option nesterov is 'maybe'; allowed: a value of type bool"),
        ("steps=-1", "strategy 'guest' cannot be made with .*: steps below 0"),
        ("steps", "options of strategy 'guest' hold 'steps'; allowed: NAME=VALUE"),
    ],
)
def test_options_that_it_cannot_take_are_named(guest: Make, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        run_federation(guest(Options, strategy_options=text), CLIENTS)


def test_what_is_no_strategy_is_refused(guest: Make) -> None:
    with pytest.raises(ConfigError, match="strategy 'guest' makes a dict; allowed: a Flower Strat"):
        run_federation(guest(lambda: {}), CLIENTS)


def test_central_privacy_is_not_a_guests(guest: Make) -> None:
    with pytest.raises(ConfigError, match="strategy is 'guest' but privacy is 'central'"):
        guest(FedAvg, privacy="central")


# --- Flower's own


@pytest.mark.parametrize("clients", [1, CLIENTS])
def test_flowers_fedprox_makes_clients_add_the_term(guest: Make, clients: int) -> None:
    more = {"rounds": 2, "local_epochs": 3}  # the first step does not feel the term
    flowers = guest(FedProx, run_name="flowers", strategy_options="proximal-mu=0.7", **more)
    ours = guest(
        FedProx,
        **{"run_name": "ours", "strategy": "", "weighting": "examples", **more},
        **{"aggregation": "fedprox", "aggregation.mu": 0.7},
    )
    plain = ours.with_values(run_name="plain", aggregation="fedavg", aggregation_options="")
    grid, other = run_federation(flowers, clients), run_federation(ours, clients)
    run_federation(plain, clients)
    for found, expected in zip(replies_of(grid, 1), replies_of(other, 1), strict=True):
        assert all(torch.equal(value, found[name]) for name, value in expected.items())
    metrics = replies_metrics(grid)
    assert all("step-fedprox" in record for record in metrics)
    tensors, theirs, without = final_tensors(ours), final_tensors(flowers), final_tensors(plain)
    for name, value in tensors.items():
        if clients == 1:
            assert torch.equal(theirs[name], value), name
        torch.testing.assert_close(theirs[name], value, rtol=1e-4, atol=1e-6)
    assert any(not torch.equal(without[name], value) for name, value in tensors.items())


def replies_metrics(grid: SerialGrid) -> list[MetricRecord]:
    return [
        reply.content.metric_records[protocol.METRICS]
        for reply in grid.replies
        if reply.metadata.message_type == MessageType.TRAIN
    ]


def test_a_resumed_run_ends_in_the_same_bits(guest: Make) -> None:
    """Momentum stands in the strategy's attributes, which the checkpoints keep."""
    options = {"rounds": 4, "strategy_options": "server-momentum=0.9 server-learning-rate=0.7"}
    undisturbed, config = guest(FedAvgM, **options), guest(FedAvgM, run_name="ended", **options)
    run_federation(undisturbed, CLIENTS)

    def end(message: Message, partition_id: int) -> Message | None:
        if message.metadata.message_type != MessageType.TRAIN:
            return None
        if message.content.config_records[protocol.CONFIG][protocol.ROUND] == 3:
            raise KeyboardInterrupt
        return None

    with pytest.raises(KeyboardInterrupt):
        run_federation(config, CLIENTS, intercept=end)
    grid = run_federation(config.with_values(resume="latest"), CLIENTS)
    assert len(training(grid)) == 2 * CLIENTS
    found, expected = final_tensors(config), final_tensors(undisturbed)
    assert found.keys() == expected.keys()
    assert all(torch.equal(value, found[name]) for name, value in expected.items())
    # Without momentum the same run ends elsewhere.
    plain = guest(FedAvgM, **(options | {"run_name": "plain", "strategy_options": ""}))
    run_federation(plain, CLIENTS)
    other = final_tensors(plain)
    assert any(not torch.equal(value, other[name]) for name, value in expected.items())
