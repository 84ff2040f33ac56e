"""Losses against their formulae, written out label by label."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from fedmvp_core.adversarial import losses
from fedmvp_core.errors import AttackError
from fedmvp_core.losses.classification import divergence

LOGITS = torch.tensor([[2.0, -1.0, 0.5, 3.0], [0.1, 0.2, -4.0, 0.0]])
LABELS = torch.tensor([3, 0])
MULTI = torch.tensor([[1, 0, 0, 1], [0, 1, 1, 0]])
CLEAN = torch.tensor([[1.0, 0.0, -0.5, 2.0], [-1.0, 0.3, 2.0, 0.4]])


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def test_cross_entropy() -> None:
    expected = [-math.log(math.exp(row[y]) / sum(math.exp(z) for z in row))
                for row, y in zip(LOGITS.tolist(), LABELS.tolist(), strict=True)]  # fmt: skip
    assert losses.cross_entropy(LOGITS, LABELS).tolist() == pytest.approx(expected)


def test_binary_cross_entropy_sums_over_labels() -> None:
    expected = [
        sum(-math.log(sigmoid(z if y else -z)) for z, y in zip(row, labels, strict=True))
        for row, labels in zip(LOGITS.tolist(), MULTI.tolist(), strict=True)
    ]
    for labels in (MULTI, MULTI.bool(), MULTI.float()):
        assert losses.cross_entropy(LOGITS, labels).tolist() == pytest.approx(expected)


def test_kl_is_from_the_clean_prediction() -> None:
    expected = torch.distributions.kl_divergence(
        torch.distributions.Categorical(logits=CLEAN),
        torch.distributions.Categorical(logits=LOGITS),
    )
    torch.testing.assert_close(divergence(CLEAN, LOGITS, False), expected)
    per_label = torch.distributions.kl_divergence(
        torch.distributions.Bernoulli(logits=CLEAN), torch.distributions.Bernoulli(logits=LOGITS)
    )
    torch.testing.assert_close(divergence(CLEAN, LOGITS, True), per_label.sum(dim=1))
    assert divergence(CLEAN, CLEAN, True).abs().max() < 1e-6


@given(st.lists(st.floats(-9, 9, width=32), min_size=4, max_size=4), st.integers(0, 3))
def test_the_margin_is_above_0_exactly_where_the_class_is_wrong(row: list[float], y: int) -> None:
    value = float(losses.margin(torch.tensor([row]), torch.tensor([y])))
    others = max(z for i, z in enumerate(row) if i != y)
    assert value == pytest.approx(others - row[y], abs=1e-5)


def test_the_multi_label_margin_is_0_once_all_labels_are_wrong() -> None:
    right = torch.tensor([[3.0, -2.0]])
    labels = torch.tensor([[1, 0]])
    assert losses.margin(right, labels).tolist() == [-5]
    assert losses.margin(torch.tensor([[3.0, 2.0]]), labels).tolist() == [-3]
    assert losses.margin(-right, labels).tolist() == [0]


def test_dlr() -> None:
    # (2 - 3) / (3 - 0.5); (0.2 - 0.1) / (0.2 - 0)
    expected = torch.tensor([-1 / 2.5, 0.1 / 0.2])
    torch.testing.assert_close(losses.dlr(LOGITS, LABELS), expected)
    torch.testing.assert_close(losses.dlr(100 * LOGITS, LABELS), expected)


def test_targeted_dlr() -> None:
    # (-1 - 3) / (3 - (0.5 - 1) / 2); (0 - 0.1) / (0.2 - (0 - 4) / 2)
    expected = torch.tensor([-4 / 3.25, -0.1 / 2.2])
    found = losses.targeted_dlr(LOGITS, LABELS, torch.tensor([1, 3]))
    torch.testing.assert_close(found, expected)


def test_targeted_margin() -> None:
    targets = torch.tensor([1, 2])
    assert losses.targeted_margin(LOGITS, LABELS, targets).tolist() == pytest.approx([-4, -4.1])
    # Label 1 of the first is absent (wrong above 0), label 2 of the second present.
    assert losses.targeted_margin(LOGITS, MULTI, targets).tolist() == pytest.approx([-1, 4])


@pytest.mark.parametrize("classes", [2, 3, 4])
def test_dlr_gives_way_to_the_margin_where_it_is_undefined(classes: int) -> None:
    logits, labels, targets = LOGITS[:, :classes], torch.tensor([1, 0]), torch.tensor([0, 1])
    plain: Tensor
    if classes < 3:
        with pytest.raises(AttackError, match=r"'dlr' needs 3 classes.* have 2"):
            losses.dlr(logits, labels)
        plain = losses.margin(logits, labels)
    else:
        plain = losses.dlr(logits, labels)
    assert torch.equal(losses.dlr_or_margin(logits, labels), plain)
    if classes < 4:
        with pytest.raises(AttackError, match=f"needs 4 classes.* have {classes}"):
            losses.targeted_dlr(logits, labels, targets)
        plain = losses.targeted_margin(logits, labels, targets)
    else:
        plain = losses.targeted_dlr(logits, labels, targets)
    assert torch.equal(losses.targeted_dlr_or_margin(logits, labels, targets), plain)


@pytest.mark.parametrize("name", ["ce", "margin", "dlr"])
def test_unknown_labels_are_not_looked_at(name: str) -> None:
    logits = torch.tensor([[1.0, -2.0, 3.0]], requires_grad=True)
    known = losses.LOSSES[name](logits[:, :2], torch.tensor([[1, 0]]), torch.zeros(1))
    found = losses.LOSSES[name](logits, torch.tensor([[1, 0, -1]]), torch.zeros(1))
    assert found.item() == known.item()
    (gradient,) = torch.autograd.grad(found.sum(), logits)
    assert gradient[0, 2] == 0


def test_dlr_is_no_multi_label_loss() -> None:
    with pytest.raises(AttackError, match="single-label"):
        losses.dlr(LOGITS, MULTI)
    assert torch.equal(losses.dlr_or_margin(LOGITS, MULTI), losses.margin(LOGITS, MULTI))
