"""FedAWA's weights against Adam in plain numbers, with gradients by differences."""

import math

import numpy as np
import pytest
import torch
from rules import random_updates, rule_named

from server_app.aggregation import Update, rule_state

CURRENT = {"a": torch.tensor([1.0, -2.0, 0.5]), "b": torch.tensor([[0.3, 1.0]])}


def flat(tensors: dict[str, torch.Tensor]) -> np.ndarray:
    return np.concatenate([tensors[name].double().numpy().ravel() for name in CURRENT])


def softmax(logits: np.ndarray) -> np.ndarray:
    e = np.exp(logits - logits.max())
    return np.asarray(e / e.sum())


def objective(logits: np.ndarray, trained: np.ndarray, held: np.ndarray) -> float:
    """The paper's: sum p (1 - cos(w_k, w_g)) + sum p |tau_k - sum p tau|."""
    p, total = softmax(logits), 0.0
    vectors = trained - held
    middle = sum(weight * vector for weight, vector in zip(p, vectors, strict=True))
    for weight, w, vector in zip(p, trained, vectors, strict=True):
        cosine = w @ held / math.sqrt((w @ w) * (held @ held))
        total += weight * (1 - cosine) + weight * math.sqrt((vector - middle) @ (vector - middle))
    return float(total)


def slow_gradient(logits: np.ndarray, trained: np.ndarray, held: np.ndarray) -> np.ndarray:
    steps = 1e-5 * np.eye(len(logits))
    return np.array(
        [
            (objective(logits + s, trained, held) - objective(logits - s, trained, held)) / 2e-5
            for s in steps
        ]
    )


def slow_logits(
    start: np.ndarray, trained: np.ndarray, held: np.ndarray, steps: int, rate: float
) -> np.ndarray:
    m, v, logits = np.zeros_like(start), np.zeros_like(start), start.copy()
    for t in range(1, steps + 1):
        gradient = slow_gradient(logits, trained, held)
        m, v = 0.5 * m + 0.5 * gradient, 0.999 * v + 0.001 * gradient**2
        logits -= rate * (m / (1 - 0.5**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return logits


@pytest.mark.parametrize("weighting", ["uniform", "examples"])
@pytest.mark.parametrize(("steps", "rate"), [(1, 1e-3), (8, 0.05)])
def test_two_rounds_are_those_of_the_formula(weighting: str, steps: int, rate: float) -> None:
    rule = rule_named(
        "fedawa", config={"weighting": weighting}, server_epochs=steps, server_learning_rate=rate
    )
    held, logits = dict(CURRENT), np.zeros(0)
    for round_number in range(2):
        updates = random_updates(held, 4, seed=round_number, scale=0.5)
        if round_number == 0:
            shares = np.array([1.0 if weighting == "uniform" else u.num_examples for u in updates])
            logits = np.log(shares / shares.sum())
        trained = np.stack([flat(dict(update.tensors)) for update in updates])
        logits = slow_logits(logits, trained, flat(held), steps, rate)
        held = rule(updates, held)
        np.testing.assert_allclose(flat(held), softmax(logits) @ trained, rtol=1e-5, atol=1e-6)


def test_without_a_learning_rate_it_is_fedavg() -> None:
    updates = random_updates(CURRENT, 4, seed=0)
    for weighting in ("uniform", "examples"):
        config = {"weighting": weighting}
        found = rule_named("fedawa", config=config, server_learning_rate=0)(updates, CURRENT)
        mean = rule_named("fedavg", config=config)(updates, CURRENT)
        for name, value in mean.items():
            torch.testing.assert_close(found[name], value, rtol=1e-6, atol=1e-7)


def test_a_client_far_from_the_others_weighs_less() -> None:
    updates = random_updates(CURRENT, 5, seed=0)
    far = {name: -5 * value for name, value in CURRENT.items()}
    updates[2] = Update(2, far, 3)
    rule = rule_named("fedawa", server_epochs=200, server_learning_rate=0.05)
    found = rule(updates, CURRENT)
    mean = rule_named("fedavg")(updates, CURRENT)
    for name, value in CURRENT.items():
        assert (found[name] - value).norm() < (mean[name] - value).norm() / 2


def test_weights_are_kept_by_client() -> None:
    rule = rule_named("fedawa")
    updates = random_updates(CURRENT, 4, seed=0)
    rule(updates[:2], CURRENT)
    before = dict(rule_state(rule))
    assert set(before) == {"client-0", "client-1"}
    rule(updates[1:3], CURRENT)
    after = rule_state(rule)
    assert set(after) == {"client-0", "client-1", "client-2"}
    assert torch.equal(after["client-0"], before["client-0"])
    assert not torch.equal(after["client-1"], before["client-1"])
