"""FLANDERS: liars as outliers of a multidimensional time series (Gabrielli et al., 2023).

What all clients send in a round is a matrix, coordinates by clients. A matrix autoregressive model,

    Theta_t = A Theta_(t-1) B,

fitted to the rounds before by alternating least squares, forecasts it; the clients whose column is
furthest from its forecast are left out, and the others are averaged.

Choices of this project, where the paper leaves room: A and B are drawn towards the identity, so
that a short history forecasts "as before"; before there is a history the forecast is the median of
each coordinate; the history keeps the forecast in the place of what was left out, so that lies do
not teach the model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fedmvp_core.aggregation import weighted_mean
from fedmvp_core.config.options import Annotated, Between, option
from fedmvp_core.seeding import generator
from server_app.aggregation.robust import RobustOptions, malicious_clients
from server_app.aggregation.sampled import changes_at, drawn_coordinates, furthest_left_out
from server_app.aggregation.updates import (
    Aggregation,
    AggregationContext,
    TooFewUpdatesError,
    Update,
)

_PAST = "past/client-"  # (rounds, coordinates) of a client, the last of `window` rounds


@dataclass(frozen=True)
class FlandersOptions(RobustOptions):
    """How much is looked at, and how the model is fitted."""

    coordinates: Annotated[int, Between(1, 10_000)] = option(200, "of the tensors, drawn once")
    window: Annotated[int, Between(2, 1000)] = option(5, "rounds that the model is fitted to")
    iterations: Annotated[int, Between(1, 1000)] = option(10, "of alternating least squares")
    ridge: Annotated[float, Between(1e-6)] = option(
        0.1, "pull of A and B towards the identity, over the data's own weight"
    )


class Flanders:
    """The rule; state: what each client sent at the coordinates in the last rounds."""

    def __init__(self, options: FlandersOptions, context: AggregationContext) -> None:
        self._options, self._context = options, context
        self.state: dict[str, Tensor] = {}

    def __call__(
        self, updates: Sequence[Update], current: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """The mean of the updates that are nearest to their forecasts.

        Raises:
            TooFewUpdatesError: there are too few.
        """
        needed = fewest(self._options, len(updates))
        if len(updates) < needed:
            raise TooFewUpdatesError(f"{needed} updates are needed, and there are {len(updates)}")
        draw = generator(self._context.seed, "flanders")  # the same coordinates in every round
        at = drawn_coordinates(sorted(current), current, self._options.coordinates, draw)
        now = torch.cat([current[name].reshape(-1)[rows].double() for name, rows in at.items()])
        sent = (now + changes_at(updates, current, at)).T
        forecast = self._forecast(updates, sent, now)
        liars = malicious_clients(self._options, len(updates))
        kept = furthest_left_out((sent - forecast).square().sum(dim=0), liars)
        believed = forecast.clone()
        believed[:, kept] = sent[:, kept]
        self._remember(updates, believed, now)
        parts = ((updates[i].tensors, self._context.weight(updates[i])) for i in kept)
        return weighted_mean(parts)

    def _forecast(self, updates: Sequence[Update], sent: Tensor, now: Tensor) -> Tensor:
        """(coordinates, updates). A client without a history has that of one that changed nothing.

        sent: (coordinates, updates). now: (coordinates,), the tensors that were sent out.
        """
        rounds = max((len(past) for past in self.state.values()), default=0)
        if rounds < 2:
            return sent.median(dim=1, keepdim=True).values.expand_as(sent)
        still = now.expand(rounds, -1)
        past = [self.state.get(_key(update), still) for update in updates]
        history = torch.stack(past, dim=2)  # (rounds, coordinates, updates)
        # Around the tensors that were sent out, and at their size: the model is scale-free.
        centred = history - now[:, None]
        a, b = fitted(centred, self._options.iterations, self._options.ridge)
        return now[:, None] + a @ centred[-1] @ b

    def _remember(self, updates: Sequence[Update], believed: Tensor, now: Tensor) -> None:
        """Of those who sent nothing in a round, that they changed nothing."""
        rounds = max((len(past) for past in self.state.values()), default=0)
        clients = {_key(u): column for u, column in zip(updates, believed.T, strict=True)}
        for name in {**self.state, **clients}:
            past = self.state.get(name, now.expand(rounds, -1))
            row = clients.get(name, now)
            self.state[name] = torch.cat([past, row[None]])[-self._options.window :].clone()


def fitted(history: Tensor, iterations: int, ridge: float) -> tuple[Tensor, Tensor]:
    """A: (d, d) and B: (m, m) of the model, by alternating least squares from the identity.

    history: (rounds, d, m), two rounds or more. ridge: each fit adds this times the mean of its
    Gram matrix's diagonal times the squared distance from the identity.
    """
    before, after = history[:-1], history[1:]
    _, d, m = history.shape
    a, b = (torch.eye(size, dtype=history.dtype) for size in (d, m))
    for _ in range(iterations):
        seen = before @ b  # (rounds - 1, d, m)
        a = _regressed(after.transpose(1, 2), seen.transpose(1, 2), ridge).T
        b = _regressed(after, a @ before, ridge)
    return a, b


def _regressed(wanted: Tensor, given: Tensor, ridge: float) -> Tensor:
    """(p, p): X of the least squared wanted - given X, drawn towards the identity.

    wanted, given: (rounds, n, p).
    """
    gram = torch.einsum("tnp,tnq->pq", given, given)
    size = len(gram)
    pull = ridge * max(float(gram.diagonal().mean()), 1e-30) * torch.eye(size, dtype=gram.dtype)
    found: Tensor = torch.linalg.solve(
        gram + pull, torch.einsum("tnp,tnq->pq", given, wanted) + pull
    )
    return found


def _key(update: Update) -> str:
    return f"{_PAST}{update.partition_id}"


def fewest(options: FlandersOptions, updates: int) -> int:
    """Most must be honest."""
    return 2 * malicious_clients(options, updates) + 1


flanders = Aggregation(
    "flanders",
    "FLANDERS: without the updates that are far from a forecast of theirs (Gabrielli et al., 2023)",
    Flanders,
    FlandersOptions,
    fewest,
)
