"""The contract of a whole Flower strategy: that it asks, aggregates and can be resumed."""

from collections.abc import Iterator
from typing import Any

import torch
from flwr.serverapp.strategy import Strategy
from torch import Tensor

from fedmvp_core.config import FederationSection, Scalar
from fedmvp_core.registry import STRATEGIES, find
from server_app.cohort.questions import Node
from server_app.guest_strategy import GuestStrategy, make_strategy
from simulations.plugins.examples import CLIENTS, current_tensors, example_updates
from simulations.plugins.findings import Finding, checked, small_config
from simulations.runner.inline import set_identity

SEED = 1
NODES = [Node(1000 + i, i, 20 + i, {}, {}) for i in range(CLIENTS)]


def check_strategy(name: str, words: dict[str, Scalar]) -> Iterator[Finding]:
    """Every check that makes sense after those before it."""
    set_identity()  # strategies make messages
    first = checked(f"strategy '{name}' loads", lambda: _loads(find(STRATEGIES, name)))
    yield first
    if first.wrong:
        return
    federation = small_config(words, strategy=name).federation
    made = checked("its constructor can do with its options", lambda: _makes(federation))
    yield made
    if made.wrong:
        return
    current = current_tensors()
    asks = checked(
        f"it asks some of {CLIENTS} clients and sends the global tensors",
        lambda: "" if _guest(federation).ask(1, current, NODES)[0] else "it asks nobody",
    )
    yield asks
    if asks.wrong:
        return
    yield checked(
        "it makes tensors of the same names and shapes of their updates",
        lambda: "" if _round(_guest(federation), 1, current) else "it returns nothing",
    )
    yield checked(
        "made anew with the attributes of another it goes on with the same bits",
        lambda: _restored(federation, current),
    )


def _loads(made: Any) -> str:
    if isinstance(made, type) and not issubclass(made, Strategy):
        return f"{made.__name__} is no subclass of flwr.serverapp.strategy.Strategy"
    return "" if callable(made) else f"it is a {type(made).__name__}, which cannot be called"


def _makes(federation: FederationSection) -> str:
    make_strategy(federation)
    return ""


def _guest(federation: FederationSection) -> GuestStrategy:
    return GuestStrategy(make_strategy(federation), federation.strategy, SEED)


def _round(guest: GuestStrategy, round: int, current: dict[str, Tensor]) -> dict[str, Tensor]:
    asked, _ = guest.ask(round, current, NODES)
    partitions = {node.partition_id for node in asked}
    updates = [u for u in example_updates(current, round) if u.partition_id in partitions]
    return guest(updates, current)


def _restored(federation: FederationSection, current: dict[str, Tensor]) -> str:
    guest = _guest(federation)
    after = _round(guest, 1, current)
    kept = {name: value.clone() for name, value in guest.state.items()}
    other = _guest(federation)
    other.restore(kept)
    first, second = (_round(strategy, 2, after) for strategy in (guest, other))
    different = [name for name, value in first.items() if not torch.equal(value, second[name])]
    if not different:
        return ""
    return (
        f"{', '.join(different)} differ; attributes that are numbers, words, arrays, records, "
        "lists or dicts of them are kept, others are not"
    )
