"""DnC against a slow one in NumPy, and what it does to liars who pull one way."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from rules import configured, random_updates, rule_named
from torch import Tensor

from fedmvp_core.errors import ConfigError
from server_app.aggregation import TooFewUpdatesError, Update
from server_app.aggregation.dnc import outlying
from server_app.aggregation.sampled import changes_at, drawn_coordinates

CURRENT = {"b": torch.linspace(-1, 1, 30).reshape(5, 6), "a": torch.zeros(7)}


def slow_scores(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The projections on the direction of the largest variance, found by power iteration."""
    centred = rows - rows.mean(axis=0)
    direction = np.ones(rows.shape[1]) + np.arange(rows.shape[1]) / 100
    for _ in range(20_000):
        direction = centred.T @ (centred @ direction)
        direction /= np.linalg.norm(direction)
    scores: NDArray[np.float64] = (centred @ direction) ** 2
    return scores


def as_rows(updates: list[Update]) -> NDArray[np.float64]:
    """(n, d): all that was changed, names in their order."""
    return np.stack(
        [
            np.concatenate(
                [
                    (u.tensors[n].double() - CURRENT[n].double()).numpy().ravel()
                    for n in sorted(CURRENT)
                ]
            )
            for u in updates
        ]
    )


def flat(tensors: dict[str, Tensor]) -> NDArray[np.float64]:
    return np.concatenate(
        [(tensors[n].double() - CURRENT[n].double()).numpy().ravel() for n in sorted(CURRENT)]
    )


@pytest.mark.parametrize("seed", range(4))
def test_with_all_coordinates_it_is_the_slow_one(seed: int) -> None:
    updates = random_updates(CURRENT, 10, seed)
    rows = as_rows(updates)
    scores = slow_scores(rows)
    np.testing.assert_allclose(outlying(torch.from_numpy(rows)).numpy(), scores, rtol=1e-4)
    kept = np.argsort(scores)[: 10 - 2]
    found = rule_named("dnc", malicious_share=0.2)(updates, CURRENT)
    np.testing.assert_allclose(flat(found), rows[kept].mean(axis=0), atol=1e-6)


def test_of_some_coordinates_it_is_what_every_iteration_keeps() -> None:
    updates = random_updates(CURRENT, 9, seed=5)
    rows = as_rows(updates)
    rule = rule_named("dnc", malicious_share=0.12, coordinates=8, iterations=4)
    found = flat(rule(updates, CURRENT))
    subsets = [
        [i for i in range(9) if mask >> i & 1] for mask in range(1, 2**9)
    ]  # the mean of one subset alone
    means = np.stack([rows[subset].mean(axis=0) for subset in subsets])
    near = int(np.abs(means - found).max(axis=1).argmin())
    np.testing.assert_allclose(means[near], found, atol=1e-6)
    assert 9 - 4 <= len(subsets[near]) <= 8


def test_liars_who_pull_one_way_are_left_out() -> None:
    honest = random_updates(CURRENT, 12, seed=1)
    lie = {name: value + 0.15 for name, value in CURRENT.items()}
    lied = [*honest[:9], *(Update(i, lie, 1) for i in (9, 10, 11))]
    rule = rule_named("dnc", malicious_share=0.25, iterations=1)
    np.testing.assert_allclose(
        flat(rule(lied, CURRENT)), as_rows(honest[:9]).mean(axis=0), atol=1e-6
    )


def test_neither_order_nor_numbers_of_clients_matter() -> None:
    updates = random_updates(CURRENT, 10, seed=2)
    turned = [Update(i, u.tensors, u.num_examples) for i, u in enumerate(reversed(updates))]
    for options in ({}, {"coordinates": 5}):
        first, second = (rule_named("dnc", **options)(some, CURRENT) for some in (updates, turned))
        np.testing.assert_allclose(flat(first), flat(second), atol=1e-6)


def test_draws_are_of_the_seed_and_the_round() -> None:
    updates = random_updates(CURRENT, 10, seed=3)
    rounds = []
    for seed in (1, 1, 2):
        rule = rule_named("dnc", config={"seed": seed}, coordinates=3, iterations=1)
        rounds.append(np.concatenate([flat(rule(updates, CURRENT)) for _ in range(6)]))
    assert np.array_equal(rounds[0], rounds[1])
    assert not np.array_equal(rounds[0], rounds[2])
    assert len({tuple(part) for part in np.split(rounds[0], 6)}) > 1


def test_coordinates_are_drawn_from_all_tensors_once_each() -> None:
    draw = torch.Generator().manual_seed(0)
    counts = torch.zeros(37)
    for _ in range(300):
        at = drawn_coordinates(["a", "b"], CURRENT, 10, draw)
        both = torch.cat([at["a"], at["b"] + 7])
        assert len(both) == len(both.unique()) == 10
        counts[both] += 1
    assert counts.min() > 40
    assert counts.max() < 130
    update = random_updates(CURRENT, 1, seed=0)[0]
    at = {"a": torch.tensor([1]), "b": torch.tensor([0, 29])}
    change = update.tensors["b"].double() - CURRENT["b"].double()
    found = changes_at([update, Update(1, {"a": CURRENT["a"]}, 1)], CURRENT, at)
    assert found[0, 1:].tolist() == [change[0, 0].item(), change[4, 5].item()]
    assert found[1].tolist() == [0.0, 0.0, 0.0]


def test_where_no_update_is_kept_by_all_those_that_most_keep_count() -> None:
    updates = random_updates(CURRENT, 3, seed=0)
    rule = rule_named("dnc", malicious_share=0.34, filtering=2.0, coordinates=1, iterations=9)
    found = rule(updates, CURRENT)
    assert all(torch.isfinite(value).all() for value in found.values())


@pytest.mark.parametrize(("clients", "share"), [(3, 0.34), (4, 0.499)])
def test_too_few_clients_are_refused_before_a_round(clients: int, share: float) -> None:
    with pytest.raises(ConfigError, match="'dnc', which needs"):
        configured("dnc", malicious_share=share, filtering=8.0).check_cohort(clients)
    configured("dnc", malicious_share=0.2).check_cohort(5)


def test_a_phase_that_few_sent_stays_as_it_was() -> None:
    updates = random_updates(CURRENT, 10, seed=0)
    few = [
        Update(u.partition_id, u.tensors if u.partition_id < 3 else {"a": u.tensors["a"]}, 1)
        for u in updates
    ]
    assert set(rule_named("dnc", malicious_share=0.2)(few, CURRENT)) == {"a"}
    alone = [Update(0, {"a": CURRENT["a"]}, 1), Update(1, {"b": CURRENT["b"]}, 1)]
    with pytest.raises(TooFewUpdatesError, match="3 updates are needed"):
        rule_named("dnc", malicious_share=0.499)([*alone, *alone[:1]], CURRENT)
