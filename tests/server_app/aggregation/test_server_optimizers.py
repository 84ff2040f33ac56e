"""Server optimisers against their papers' algorithms, in plain NumPy."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from federation_harness import set_identity
from rules import mean_change, random_updates, rule_named
from torch import Tensor

ETA, TAU, BETA_1, BETA_2 = 0.03, 1e-2, 0.8, 0.95
Array = np.ndarray
Step = Callable[[Array], Array]


@pytest.fixture(autouse=True)
def _identity() -> None:
    set_identity()


def adaptive(
    second: Callable[[Array, Array], Array], beta_1: float, corrected: bool = False
) -> Step:
    """Algorithm 2 of Reddi et al. (ICLR 2021): mean difference -> the server's step.

    second: (v, squared difference) -> the next v. As Flower has it, v begins at 0 where the paper
    has tau squared, and FedAdam's rate is corrected for bias as in Adam, with t + 1 for t.
    """
    m: Array | float = 0.0
    v: Array | float = 0.0
    t = 0

    def step(change: Array) -> Array:
        nonlocal m, v, t
        t += 1
        m = beta_1 * m + (1 - beta_1) * change
        v = second(np.asarray(v), change**2)
        bias = np.sqrt(1 - BETA_2 ** (t + 1)) / (1 - beta_1 ** (t + 1)) if corrected else 1.0
        return ETA * bias * m / (np.sqrt(v) + TAU)

    return step


def momentum(rate: float, decay: float) -> Step:
    """FedAvgM: v = decay * v + change; the step is rate * v."""
    v: Array | float = 0.0

    def step(change: Array) -> Array:
        nonlocal v
        v = decay * v + change
        return rate * v

    return step


def yogi(v: Array, squared: Array) -> Array:
    return v - (1 - BETA_2) * squared * np.sign(v - squared)


MOMENTS = {"eta": ETA, "tau": TAU, "beta_1": BETA_1, "beta_2": BETA_2}
PLAIN: dict[str, tuple[dict[str, float], Callable[[], Step]]] = {
    "fedadam": (
        MOMENTS,
        lambda: adaptive(lambda v, s: BETA_2 * v + (1 - BETA_2) * s, BETA_1, corrected=True),
    ),
    "fedyogi": (MOMENTS, lambda: adaptive(yogi, BETA_1)),
    "fedadagrad": ({"eta": ETA, "tau": TAU}, lambda: adaptive(lambda v, s: v + s, 0.0)),
    "fedavgm": (
        {"server_learning_rate": 0.7, "server_momentum": 0.6},
        lambda: momentum(0.7, 0.6),
    ),
}


def start() -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(0)
    shapes: dict[str, tuple[int, ...]] = {"a": (3, 4), "b": (5,), "c": ()}
    return {n: torch.randn(s, generator=draw, dtype=torch.float64) for n, s in shapes.items()}


@pytest.mark.parametrize("name", PLAIN)
def test_ten_rounds_are_those_of_the_paper(name: str) -> None:
    options, make = PLAIN[name]
    rule, steps = rule_named(name, **options), {n: make() for n in start()}
    found = start()
    expected = {n: value.numpy() for n, value in start().items()}
    for round_number in range(10):
        updates = random_updates(found, 4, seed=round_number)
        changes = mean_change(updates, found)
        found = rule(updates, found)
        expected = {n: value + steps[n](changes[n].numpy()) for n, value in expected.items()}
        for n, value in expected.items():
            np.testing.assert_allclose(found[n].numpy(), value, rtol=1e-12, atol=1e-14)


def test_momentum_of_nothing_is_the_mean() -> None:
    rule = rule_named("fedavgm", server_learning_rate=1.0, server_momentum=0.0)
    current = start()
    for round_number in range(2):
        updates = random_updates(current, 3, seed=round_number)
        mean = rule_named("fedavg")(updates, current)
        current = rule(updates, current)
        for name, value in mean.items():
            torch.testing.assert_close(current[name], value, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("q", [0.0, 0.1, 2.0])
def test_q_fedavg_is_its_formula(q: float) -> None:
    """Li et al. (ICLR 2020), algorithm 2: sum of F^q dw over sum of q F^(q-1) |dw|^2 + L F^q."""
    rate = 0.25
    current = start()
    updates = random_updates(current, 4, seed=5)
    moved = {n: torch.zeros_like(value) for n, value in current.items()}
    below = 0.0
    for update in updates:
        loss = update.metrics["train-loss"]
        pushed = {n: (current[n] - update.tensors[n]) / rate for n in current}
        length = sum(float(value.square().sum()) for value in pushed.values())
        below += q * loss ** (q - 1) * length + loss**q / rate
        for n in moved:
            moved[n] += loss**q * pushed[n]
    found = rule_named("qfedavg", q=q, client_learning_rate=rate)(updates, current)
    for n, value in current.items():
        torch.testing.assert_close(found[n], value - moved[n] / below, rtol=1e-9, atol=1e-12)


def names() -> Iterator[str]:
    yield from (*PLAIN, "qfedavg")


@pytest.mark.parametrize("name", names())
def test_tensors_keep_their_types(name: str) -> None:
    current = {n: value.float() for n, value in start().items()}
    found = rule_named(name)(random_updates(current, 3, seed=0), current)
    assert {n: v.dtype for n, v in found.items()} == dict.fromkeys(current, torch.float32)
