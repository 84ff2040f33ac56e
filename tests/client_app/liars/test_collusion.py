"""What liars agree on, against searches and formulas in plain numbers."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from client_app.liars import collusion

LIARS, NUMBERS = 4, 6


def drawn(seed: int, liars: int = LIARS) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    common = torch.randn(NUMBERS, generator=draw, dtype=torch.float64)
    return common + 0.3 * torch.randn(liars, NUMBERS, generator=draw, dtype=torch.float64)


def longest_by_halving(
    rows: NDArray[np.float64], allowed: Callable[[NDArray[np.float64]], bool]
) -> NDArray[np.float64]:
    """As the papers search: mean - gamma std with the largest gamma that is allowed."""
    mean, std = rows.mean(axis=0), rows.std(axis=0, ddof=1)
    low, high = 0.0, 1e4
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if allowed(mean - middle * std) else (low, middle)
    return mean - low * std


def within_longest(rows: NDArray[np.float64]) -> Callable[[NDArray[np.float64]], bool]:
    longest = max(float(np.linalg.norm(a - b)) for a in rows for b in rows)
    return lambda lie: all(float(np.linalg.norm(lie - row)) <= longest for row in rows)


def within_sum(rows: NDArray[np.float64]) -> Callable[[NDArray[np.float64]], bool]:
    most = max(sum(float(((a - b) ** 2).sum()) for b in rows) for a in rows)
    return lambda lie: sum(float(((lie - row) ** 2).sum()) for row in rows) <= most


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("liars", [2, 3, LIARS])
def test_min_max_and_min_sum_are_what_halving_finds(seed: int, liars: int) -> None:
    updates = drawn(seed, liars)
    rows = updates.numpy()
    for found, allowed in (
        (collusion.min_max(updates), within_longest(rows)),
        (collusion.min_sum(updates), within_sum(rows)),
    ):
        np.testing.assert_allclose(found.numpy(), longest_by_halving(rows, allowed), atol=1e-9)
    doubled = collusion.min_max(updates, 2.0) - updates.mean(dim=0)
    torch.testing.assert_close(doubled, 2 * (collusion.min_max(updates) - updates.mean(dim=0)))


def normal_share(z: float) -> float:
    return 0.5 * (1 + math.erf(z / math.sqrt(2)))


@pytest.mark.parametrize(("clients", "liars"), [(15, 3), (50, 12), (11, 2), (9, 4)])
def test_z_leaves_as_many_honest_clients_further_out_as_make_a_majority(
    clients: int, liars: int
) -> None:
    z, honest = collusion.largest_z(clients, liars), clients - liars
    supporters = clients // 2 + 1 - liars
    assert normal_share(z) == pytest.approx((honest - supporters) / honest, abs=1e-9)
    assert liars + supporters > clients / 2


def test_z_is_never_below_zero_nor_infinite() -> None:
    for clients in range(1, 20):
        for liars in range(1, clients + 1):
            assert 0 <= collusion.largest_z(clients, liars) < math.inf


def test_a_little_is_against_each_number() -> None:
    updates = drawn(0)
    rows = updates.numpy()
    wanted = rows.mean(axis=0) - 1.5 * rows.std(axis=0, ddof=1)
    np.testing.assert_allclose(collusion.a_little(updates, 15, 1.5).numpy(), wanted)
    z = collusion.largest_z(15, LIARS)
    torch.testing.assert_close(collusion.a_little(updates, 15), collusion.a_little(updates, 15, z))


def test_the_mean_turned_and_the_mean() -> None:
    updates = drawn(1)
    mean = updates.mean(dim=0)
    torch.testing.assert_close(collusion.inner_product(updates, 0.5), -0.5 * mean)
    assert float(collusion.inner_product(updates, 0.5) @ mean) < 0
    torch.testing.assert_close(collusion.agreed(updates, 1.0), mean)


@pytest.mark.parametrize(
    "lie", [lambda u: collusion.a_little(u, 9), collusion.min_max, collusion.min_sum]
)
def test_nobody_s_order_matters_and_equal_updates_leave_no_room(
    lie: Callable[[Tensor], Tensor],
) -> None:
    updates = drawn(2)
    torch.testing.assert_close(lie(updates), lie(updates[[2, 0, 3, 1]]))
    equal = updates[:1].expand(3, -1)
    torch.testing.assert_close(lie(equal), equal[0])
