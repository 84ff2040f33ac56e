"""A whole Flower strategy of a plugin, as it is, with this project's rounds around it.

Each round its `configure_train` says which clients are asked and what stands in their config; they
are sent this project's messages. Its `aggregate_train` gets the replies that passed every check,
complete (a tensor that a client's phase left alone has the value that was sent), and what it
returns is checked before it becomes the global state. Evaluation, checkpoints and resuming are this
project's; what the strategy keeps in its attributes is in the checkpoints.
"""

import inspect
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from flwr.app import ArrayRecord, ConfigRecord, Message, MessageType, MetricRecord, RecordDict
from flwr.serverapp.strategy import Strategy
from torch import Tensor

from fedmvp_core import protocol
from fedmvp_core.config import FederationSection
from fedmvp_core.config.options import option_words
from fedmvp_core.config.words import did_you_mean, kebab
from fedmvp_core.errors import ConfigError, FedMVPError
from fedmvp_core.registry import STRATEGIES, find
from fedmvp_core.terms import TermText
from server_app.aggregation import TooFewUpdatesError, Update
from server_app.aggregation.flower_rule import seeded
from server_app.aggregation.flower_state import restore_strategy, strategy_state
from server_app.aggregation.known_nodes import KnownNodes
from server_app.cohort.questions import Node

PROXIMAL_MU = "proximal-mu"  # what Flower's FedProx writes into the config of a round
_CALLS = "calls"


def make_strategy(federation: FederationSection) -> Strategy:
    """The strategy that the run names, with strategy-options as its constructor's arguments.

    Raises:
        ConfigError: it is not installed, is no Flower strategy, or its constructor knows no such
            argument or cannot do with its value.
    """
    name, made = federation.strategy, find(STRATEGIES, federation.strategy)
    owner = f"strategy '{name}'"
    known = {kebab(key): p for key, p in inspect.signature(made).parameters.items()}
    arguments: dict[str, Any] = {}
    for key, word in option_words(owner, federation.strategy_options).items():
        if key not in known:
            raise ConfigError(f"{owner} has no option '{key}'{did_you_mean(key, list(known))}")
        arguments[key.replace("-", "_")] = _argument(owner, key, word, known[key].default)
    try:
        strategy = made(**arguments)
    except Exception as error:  # whatever another package's constructor raises
        raise ConfigError(f"{owner} cannot be made with {arguments}: {error}") from error
    if not isinstance(strategy, Strategy):
        raise ConfigError(f"{owner} makes a {type(strategy).__name__}; allowed: a Flower Strategy")
    return strategy


def _argument(owner: str, key: str, word: str, default: Any) -> Any:
    """A word as a value of the type that the argument's default has."""
    kind = type(default) if isinstance(default, bool | int | float) else str
    try:
        if kind is bool:
            return {"true": True, "false": False}[word]
        return kind(word)
    except (KeyError, ValueError):
        raise ConfigError(
            f"{owner}: option {key} is '{word}'; allowed: a value of type {kind.__name__}"
        ) from None


class GuestStrategy:
    """The plugin's strategy as a rule, and as the one who says whom a round asks."""

    def __init__(self, strategy: Strategy, name: str, seed: int) -> None:
        self.strategy, self.name, self._seed, self._calls = strategy, name, seed, 0

    def ask(
        self, round: int, tensors: Mapping[str, Tensor], nodes: Sequence[Node]
    ) -> tuple[list[Node], dict[str, protocol.Scalar]]:
        """The nodes that `configure_train` chooses, and what it writes into their config.

        Raises:
            FedMVPError: it raises, asks none of them, sends other arrays, or tells them what is no
                single value.
        """
        arrays = ArrayRecord(dict(tensors))
        grid = KnownNodes([node.node_id for node in nodes])
        with seeded(self._seed, round), _told_of(self.name, "configure_train"):
            messages = list(self.strategy.configure_train(round, arrays, ConfigRecord(), grid))
        known = {node.node_id: node for node in nodes}
        asked = [known[m.metadata.dst_node_id] for m in messages if m.metadata.dst_node_id in known]
        if not asked:
            raise FedMVPError(f"strategy '{self.name}' asks none of {len(nodes)} clients")
        entries: dict[str, protocol.Scalar] = {}
        for message in messages:
            for record in message.content.array_records.values():
                _check_unchanged(record, arrays, self.name)
            for config in message.content.config_records.values():
                for key, value in config.items():
                    if not isinstance(value, protocol.SCALARS):
                        raise FedMVPError(
                            f"strategy '{self.name}' tells clients {key} = {value!r}; allowed: "
                            "numbers, true, false and texts"
                        )
                    entries[key] = value
        return sorted(asked, key=lambda node: node.partition_id), entries

    def __call__(
        self, updates: Sequence[Update], current: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """What `aggregate_train` makes of the updates.

        Raises:
            TooFewUpdatesError: it makes nothing of them.
            FedMVPError: it raises, or returns other names or shapes, or numbers that are not
                finite.
        """
        self._calls += 1
        replies = [_reply(update, current) for update in updates]
        with seeded(self._seed, -self._calls), _told_of(self.name, "aggregate_train"):
            record, _ = self.strategy.aggregate_train(self._calls, replies)
        if record is None:
            raise TooFewUpdatesError(
                f"strategy '{self.name}' makes nothing of {len(updates)} updates"
            )
        return _checked(record, current, self.name)

    @property
    def state(self) -> dict[str, Tensor]:
        """What the strategy keeps in its attributes."""
        return {_CALLS: torch.tensor(self._calls), **strategy_state(self.strategy)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Put back what `state` gave."""
        if state:
            self._calls = int(state[_CALLS])
            restore_strategy(self.strategy, state)


@contextmanager
def _told_of(name: str, method: str) -> Iterator[None]:
    """Within it, whatever a plugin's strategy raises ends the run with a sentence about it."""
    try:
        yield
    except Exception as error:
        raise FedMVPError(
            f"strategy '{name}' fails in {method}: {type(error).__name__}: {error}"
        ) from error


def term_of(entries: Mapping[str, protocol.Scalar]) -> TermText | None:
    """The client term that a strategy's config asks for, by the key of Flower's FedProx."""
    mu = entries.get(PROXIMAL_MU, 0.0)
    return ("fedprox", f"mu={float(mu)}") if mu else None


def _reply(update: Update, current: Mapping[str, Tensor]) -> Message:
    """An update as Flower's strategies expect a reply: every tensor, and the metrics."""
    tensors = {name: update.tensors.get(name, value) for name, value in current.items()}
    told = {key: float(value) for key, value in update.metrics.items()}
    metrics = MetricRecord({**told, protocol.NUM_EXAMPLES: float(update.num_examples)})
    content = RecordDict({"arrays": ArrayRecord(tensors), "metrics": metrics})
    return Message(content, dst_node_id=1, message_type=MessageType.TRAIN)


def _check_unchanged(record: ArrayRecord, sent: ArrayRecord, name: str) -> None:
    for key, array in record.items():
        if key not in sent or array.data != sent[key].data:
            raise FedMVPError(
                f"strategy '{name}' sends other arrays than the global ones ('{key}'), which "
                "clients' checks and resuming do not know"
            )


def _checked(record: ArrayRecord, current: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """The record's tensors in the types of the current ones, if names and shapes are theirs."""
    found = record.to_torch_state_dict()
    if {n: tuple(t.shape) for n, t in found.items()} != {
        n: tuple(t.shape) for n, t in current.items()
    }:
        raise FedMVPError(
            f"strategy '{name}' returns tensors of another schema: {_schema(found)}; expected "
            f"{_schema(current)}"
        )
    for key, value in found.items():
        if not math.isfinite(float(value.double().abs().sum())):
            raise FedMVPError(f"strategy '{name}' returns NaN or infinite numbers in '{key}'")
    return {key: found[key].to(value.dtype) for key, value in current.items()}


def _schema(tensors: Mapping[str, Tensor]) -> str:
    shown = [f"{name} {tuple(value.shape)}" for name, value in list(tensors.items())[:5]]
    more = f" and {len(tensors) - 5} more" if len(tensors) > 5 else ""
    return ", ".join(shown) + more
