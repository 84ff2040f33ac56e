"""Flower's strategies as aggregations: their own classes choose and average.

A strategy is given checked updates as differences from the tensors that were sent, in float64, and
what it makes of them is added to these. Rules that commute with a shift lose nothing by that;
server optimisers (FedAdam, ...) take the mean difference as their pseudo-gradient, as their papers
write it. One strategy object lives through the run for each group of tensors that the same clients
send, since clients of different phases send different ones; what it keeps stands in checkpoints.

A difference is computed when the strategy asks for its numbers. So one that adds updates up holds
one of them at a time, and one that looks at each number by itself (`in_parts`) a part of all.
Krum's distances are added up over such parts.
"""

import gc
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np
import torch
from flwr.app import (
    Array,
    ArrayRecord,
    ConfigRecord,
    Message,
    MessageType,
    MetricRecord,
    RecordDict,
)
from flwr.serverapp.strategy import Strategy
from torch import Tensor

from fedmvp_core import protocol
from fedmvp_core.json_logs import logger
from fedmvp_core.seeding import derived_seed
from server_app.aggregation.changes import ChangeArray, Piece, pieces_at_once, pieces_of
from server_app.aggregation.flower_state import restore_strategy, strategy_state
from server_app.aggregation.known_nodes import KnownNodes
from server_app.aggregation.krum import distances_in_parts
from server_app.aggregation.updates import (
    AggregationContext,
    Rule,
    TooFewUpdatesError,
    Update,
    one_is_enough,
)

Make: TypeAlias = Callable[[Any], Strategy]
# Sets what a strategy must know: (strategy, options, updates of the round, updates of the group).
Adjust: TypeAlias = Callable[[Any, Any, int, int], None]
Fewest: TypeAlias = Callable[[Any, int], int]
NO_LENGTH = 1e-150  # far below what a tensor of any type can tell from 0
_CALLS, _NAMES = "calls", "names"


def _as_made(strategy: Any, options: Any, updates: int, senders: int) -> None:
    return None


def flower_rule(
    make: Make,
    adjust: Adjust = _as_made,
    fewest: Fewest = one_is_enough,
    in_parts: bool = False,
) -> Callable[[Any, AggregationContext], Rule]:
    """What an Aggregation's `make` needs, from a constructor of a Flower strategy.

    make: options -> the strategy, called once a group. adjust: called before each round. fewest:
    how many updates of a group it needs for so many of the whole round; a smaller group is left as
    it was. in_parts: what it makes of a number follows from that number in all updates, and from
    distances between whole updates at most, and it keeps nothing, so that it may be given long
    tensors in parts.
    """
    return lambda options, context: FlowerRule(make, adjust, fewest, options, context, in_parts)


def _record(arrays: Mapping[str, Array]) -> ArrayRecord:
    """The arrays themselves; the constructor of ArrayRecord makes others of their bytes."""
    record = ArrayRecord()
    for key, array in arrays.items():
        record[key] = array
    return record


def _added(current: Tensor, parts: Sequence[Tensor]) -> Tensor:
    """A tensor with the changes that were made of its pieces."""
    change = torch.cat([part.reshape(-1) for part in parts]).reshape(current.shape)
    return (current.double() + change).to(current.dtype)


class FlowerRule:
    """A rule that hands each group of tensors to its own Flower strategy."""

    def __init__(
        self,
        make: Make,
        adjust: Adjust,
        fewest: Fewest,
        options: Any,
        context: AggregationContext,
        in_parts: bool = False,
    ) -> None:
        self._make, self._adjust, self._fewest = make, adjust, fewest
        self._options, self._context, self._in_parts = options, context, in_parts
        self._strategies: dict[tuple[str, ...], Strategy] = {}
        self._calls = 0

    def __call__(
        self, updates: Sequence[Update], current: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """The tensors that change; raises TooFewUpdatesError when every group is too small."""
        self._calls += 1
        needed = self._fewest(self._options, len(updates))
        changed: dict[str, Tensor] = {}
        for names, senders in groups(updates):
            if len(senders) < needed:
                logger.warning(
                    "%d updates are needed, %d clients sent '%s' and others of their phase; these "
                    "stay as they are",
                    *(needed, len(senders), names[0]),
                )
                continue
            strategy = self._strategy_of(names)
            self._adjust(strategy, self._options, len(updates), len(senders))
            changed |= self._aggregated(strategy, names, senders, current)
        if not changed:
            raise TooFewUpdatesError(f"{needed} updates are needed, and there are {len(updates)}")
        return changed

    def _strategy_of(self, names: Sequence[str]) -> Strategy:
        key = tuple(names)
        if key not in self._strategies:
            self._strategies[key] = self._make(self._options)
        return self._strategies[key]

    def _aggregated(
        self,
        strategy: Strategy,
        names: Sequence[str],
        senders: Sequence[Update],
        current: Mapping[str, Tensor],
    ) -> dict[str, Tensor]:
        """What Flower's strategy makes of some tensors, added to those that were sent."""
        if self._in_parts:
            pieces = pieces_at_once(names, current, len(senders))
        else:
            pieces = [piece for name in names for piece in pieces_of(name, current[name], None)]
        replies = [self._reply(update, pieces, current) for update in senders]
        zeros = {piece.key: Array(np.zeros(piece.shape)) for piece in pieces}
        _forget_origin(strategy)
        with seeded(self._context.seed, self._calls), without_garbage(), distances_in_parts():
            grid = KnownNodes([update.partition_id + 1 for update in senders])
            list(strategy.configure_train(self._calls, ArrayRecord(zeros), ConfigRecord(), grid))
            record, _ = strategy.aggregate_train(self._calls, replies)
        _forget_origin(strategy)
        if record is None:
            raise TooFewUpdatesError(
                f"{type(strategy).__name__} made nothing of {len(senders)} updates"
            )
        made: dict[str, list[Tensor]] = {name: [] for name in names}
        for piece in pieces:
            made[piece.name].append(torch.from_numpy(np.asarray(record[piece.key].numpy())))
        return {name: _added(current[name], parts) for name, parts in made.items()}

    def _reply(
        self, update: Update, pieces: Sequence[Piece], current: Mapping[str, Tensor]
    ) -> Message:
        arrays: dict[str, Array] = {p.key: ChangeArray(update, p, current[p.name]) for p in pieces}
        if not any(array.numpy().any() for array in arrays.values()):
            # Flower's clipping divides by an update's length; this changes no sum.
            arrays[pieces[0].key] = Array(np.full(pieces[0].shape, NO_LENGTH))
        told = {key: float(value) for key, value in update.metrics.items()}
        metrics = MetricRecord({**told, protocol.NUM_EXAMPLES: self._context.weight(update)})
        content = RecordDict({protocol.PROMPTS: _record(arrays), protocol.METRICS: metrics})
        return Message(content, dst_node_id=1, message_type=MessageType.TRAIN)

    @property
    def state(self) -> dict[str, Tensor]:
        """What all its strategies keep."""
        kept = {_CALLS: torch.tensor(self._calls)}
        for number, (names, strategy) in enumerate(self._strategies.items()):
            listed = torch.frombuffer(bytearray("\n".join(names).encode()), dtype=torch.uint8)
            kept |= {f"{number}/{_NAMES}": listed}
            kept |= {f"{number}/{n}": value for n, value in strategy_state(strategy).items()}
        return kept

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Put back what `state` gave."""
        self._calls = int(state[_CALLS]) if state else 0
        numbers = {name.partition("/")[0] for name in state if "/" in name}
        for number in sorted(numbers, key=int):
            own = {
                name.partition("/")[2]: value
                for name, value in state.items()
                if name.startswith(f"{number}/")
            }
            names = own.pop(_NAMES).numpy().tobytes().decode().split("\n")
            restore_strategy(self._strategy_of(names), own)


def _forget_origin(strategy: Any) -> None:
    """Differences have the origin 0 in every round anew; a checkpoint need not hold it either."""
    if hasattr(strategy, "current_arrays"):
        strategy.current_arrays = None


def groups(updates: Sequence[Update]) -> list[tuple[list[str], list[Update]]]:
    """Names of tensors with the updates that hold them: one group for each set of senders."""
    holders: dict[str, list[int]] = {}
    for position, update in enumerate(updates):
        for name in update.tensors:
            holders.setdefault(name, []).append(position)
    found: dict[tuple[int, ...], list[str]] = {}
    for name, positions in holders.items():
        found.setdefault(tuple(positions), []).append(name)
    return [(names, [updates[at] for at in positions]) for positions, names in found.items()]


@contextmanager
def seeded(seed: int, round: int) -> Iterator[None]:
    """Python's and NumPy's global draws, which Flower's strategies use, follow from seed and round.

    Afterwards both are as they were.
    """
    python, numpy = random.getstate(), np.random.get_state()
    own = derived_seed(seed, "Flower's strategy", round)
    random.seed(own)
    np.random.seed(own % 2**32)
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


@contextmanager
def without_garbage() -> Iterator[None]:
    """Flower's Bulyan collects garbage once a reply, which takes longer than all the rest where all
    that PyTorch and others hold is looked through each time."""
    gc.freeze()
    try:
        with np.errstate(all="raise", under="ignore"):
            yield
    finally:
        gc.unfreeze()
