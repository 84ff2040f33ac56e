"""FLANDERS against a slow one in NumPy: the fit, the forecast, who is left out, what is kept."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from rules import configured, random_updates, rule_named
from torch import Tensor

from server_app.aggregation import TooFewUpdatesError, Update, restore_rule, rule_state
from server_app.aggregation.flanders import fitted

CURRENT = {"b": torch.linspace(-1, 1, 6).reshape(2, 3), "a": torch.zeros(4)}
CLIENTS, NUMBERS = 7, 10
Matrix = NDArray[np.float64]


def slow_fit(history: Matrix, iterations: int, ridge: float) -> tuple[Matrix, Matrix]:
    """Each half of a step as one plain least-squares problem over all numbers, vectorised."""
    _, d, m = history.shape
    pairs = list(pairwise(history))
    a, b = np.eye(d), np.eye(m)
    for _ in range(iterations):
        blocks = [before @ b for before, _ in pairs]
        weight = ridge * np.mean([sum(float((x[i] ** 2).sum()) for x in blocks) for i in range(d)])
        rows = [np.kron(np.eye(d), x.T) for x in blocks] + [np.sqrt(weight) * np.eye(d * d)]
        wanted = [after.ravel() for _, after in pairs] + [np.sqrt(weight) * np.eye(d).ravel()]
        a = np.linalg.lstsq(np.vstack(rows), np.concatenate(wanted), rcond=None)[0].reshape(d, d)
        blocks = [a @ before for before, _ in pairs]
        weight = ridge * np.mean(
            [sum(float((x[:, i] ** 2).sum()) for x in blocks) for i in range(m)]
        )
        rows = [np.kron(x, np.eye(m)) for x in blocks] + [np.sqrt(weight) * np.eye(m * m)]
        wanted = [after.ravel() for _, after in pairs] + [np.sqrt(weight) * np.eye(m).ravel()]
        b = np.linalg.lstsq(np.vstack(rows), np.concatenate(wanted), rcond=None)[0].reshape(m, m)
    return a, b


@pytest.mark.parametrize("rounds", [2, 4])
def test_the_fit_is_least_squares(rounds: int) -> None:
    draw = torch.Generator().manual_seed(rounds)
    history = torch.randn(rounds, 4, 3, generator=draw, dtype=torch.float64)
    found, slow = fitted(history, 3, 0.2), slow_fit(history.numpy(), 3, 0.2)
    for mine, other in zip(found, slow, strict=True):
        np.testing.assert_allclose(mine.numpy(), other, atol=1e-8)


def test_a_series_that_follows_the_model_is_forecast() -> None:
    draw = torch.Generator().manual_seed(0)

    def near_identity(size: int) -> Tensor:
        noise = torch.randn(size, size, generator=draw, dtype=torch.float64)
        return torch.eye(size, dtype=torch.float64) + 0.1 * noise

    a, b = near_identity(4), near_identity(3)
    history = [torch.randn(4, 3, generator=draw, dtype=torch.float64)]
    for _ in range(12):
        history.append(a @ history[-1] @ b)
    series = torch.stack(history)
    mine = fitted(series[:-1], 50, 1e-6)
    forecast = mine[0] @ series[-2] @ mine[1]
    error, before = (
        float((series[-1] - other).norm() / series[-1].norm()) for other in (forecast, series[-2])
    )
    assert error < 0.02 < before


def flat(tensors: dict[str, Tensor]) -> Matrix:
    return np.concatenate([tensors[name].double().numpy().ravel() for name in sorted(tensors)])


class Slow:
    """The rule over all numbers, from columns of plain NumPy."""

    def __init__(self, liars: int, window: int) -> None:
        self.liars, self.window, self.past = liars, window, []

    def __call__(self, updates: list[Update], current: dict[str, Tensor]) -> Matrix:
        sent = np.stack([flat(dict(u.tensors)) for u in updates], axis=1)
        now = flat(current)[:, None]
        if len(self.past) < 2:
            ordered = np.sort(sent, axis=1)
            forecast = np.repeat(ordered[:, [(sent.shape[1] - 1) // 2]], sent.shape[1], axis=1)
        else:
            history = np.stack(self.past) - now
            a, b = slow_fit(history, 10, 0.1)
            forecast = now + a @ history[-1] @ b
        away = ((sent - forecast) ** 2).sum(axis=0)
        kept = np.sort(np.argsort(away)[: sent.shape[1] - self.liars])
        believed = forecast.copy()
        believed[:, kept] = sent[:, kept]
        self.past = [*self.past, believed][-self.window :]
        mean: Matrix = sent[:, kept].mean(axis=1)
        return mean


def drifting(round: int, current: dict[str, Tensor], liar: bool = True) -> list[Update]:
    """Updates of one round; the last client lies by turning what the others learn."""
    honest = random_updates(current, CLIENTS, seed=round, scale=0.05)
    honest = [Update(u.partition_id, {n: t + 0.2 for n, t in u.tensors.items()}, 1) for u in honest]
    lie = {name: value - 0.6 for name, value in current.items()}
    return [*honest[:-1], Update(CLIENTS - 1, lie, 1)] if liar else honest


def test_rounds_are_those_of_the_slow_one() -> None:
    rule, slow = rule_named("flanders", malicious_share=0.2, window=3), Slow(1, 3)
    current = dict(CURRENT)
    for round in range(1, 6):
        updates = drifting(round, current)
        wanted = slow(updates, current)
        current = {**current, **rule(updates, current)}
        np.testing.assert_allclose(flat(current), wanted, atol=1e-5)


def test_a_liar_that_turns_is_left_out_in_every_round() -> None:
    rule, current = rule_named("flanders", malicious_share=0.2), dict(CURRENT)
    for round in range(1, 6):
        updates = drifting(round, current)
        found = flat(rule(updates, current))
        honest = np.stack([flat(dict(u.tensors)) for u in updates[:-1]]).mean(axis=0)
        np.testing.assert_allclose(found, honest, atol=1e-6)
        current = {name: value + 0.2 for name, value in current.items()}


def test_order_does_not_matter_and_ids_do() -> None:
    """What a client sent before is its own; where it stands among the updates is nothing."""
    names = list(range(CLIENTS))
    turned = list(reversed(names))
    found = []
    for order in (names, turned):
        rule, current = rule_named("flanders", malicious_share=0.3), dict(CURRENT)
        for round in range(1, 5):
            updates = drifting(round, current)
            current = {**current, **rule([updates[i] for i in order], current)}
        found.append(flat(current))
    np.testing.assert_allclose(found[0], found[1], atol=1e-5)


def test_a_restored_rule_goes_on_with_the_same_bits() -> None:
    rule, current = rule_named("flanders"), dict(CURRENT)
    for round in range(1, 4):
        current = {**current, **rule(drifting(round, current), current)}
    other = rule_named("flanders")
    restore_rule(other, {name: value.clone() for name, value in rule_state(rule).items()})
    updates = drifting(4, current)
    first, second = rule(updates, current), other(updates, current)
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_clients_may_come_late_and_stay_away() -> None:
    rule, current = rule_named("flanders", malicious_share=0.2, window=3), dict(CURRENT)
    for round in range(1, 6):
        updates = drifting(round, current, liar=False)
        some = [u for u in updates if (u.partition_id + round) % 3]
        current = {**current, **rule(some, current)}
    assert np.isfinite(flat(current)).all()
    assert {len(past) for past in rule_state(rule).values()} == {3}


def test_too_few_updates_are_refused() -> None:
    """A share below one half leaves the honest a majority of any cohort; nobody is none."""
    for clients in range(1, 12):
        configured("flanders", malicious_share=0.499).check_cohort(clients)
    with pytest.raises(TooFewUpdatesError, match="1 updates are needed, and there are 0"):
        rule_named("flanders")([], CURRENT)
