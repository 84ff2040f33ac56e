"""Losses of several labels: hand values, torch's own where they must be equal, gradients."""

import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor
from torch.distributions import Bernoulli, kl_divergence
from torch.nn import functional as F

from fedmvp_core.losses.multi_label import (
    asymmetric_loss,
    binary_cross_entropy,
    label_divergence,
    softmax_loss,
)

Loss = Callable[[Tensor, Tensor], Tensor]
SUMS: dict[str, Loss] = {
    "bce": binary_cross_entropy,
    "asl": asymmetric_loss,
    "asl, no focus": partial(asymmetric_loss, gamma_negative=0, gamma_positive=0),
    "asl, no clip": partial(asymmetric_loss, clip=0),
    "asl, half a gamma": partial(asymmetric_loss, gamma_negative=0.5, gamma_positive=0.5),
}
LOSSES = {**SUMS, "softmax": softmax_loss}
every_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)


@pytest.fixture
def logits() -> Tensor:
    draw = torch.Generator().manual_seed(0)
    return 3 * torch.randn(4, 6, generator=draw, dtype=torch.float64)


@pytest.fixture
def labels() -> Tensor:
    return torch.randint(-1, 2, (4, 6), generator=torch.Generator().manual_seed(1))


def test_binary_cross_entropy_is_torchs(logits: Tensor, labels: Tensor) -> None:
    whole = labels.clamp(min=0)
    expected = F.binary_cross_entropy_with_logits(logits, whole.double(), reduction="none")
    assert torch.equal(binary_cross_entropy(logits, whole), expected.sum(dim=1))


def test_asymmetric_loss_without_asymmetry_is_binary_cross_entropy(
    logits: Tensor, labels: Tensor
) -> None:
    plain = asymmetric_loss(logits, labels, gamma_negative=0, gamma_positive=0, clip=0)
    torch.testing.assert_close(plain, binary_cross_entropy(logits, labels))


def test_asymmetric_loss_by_hand() -> None:
    """p = 0.8 of a label that is there, 0.3 of one that is not, 0.04 of another: below the clip."""
    probabilities = torch.tensor([[0.8, 0.3, 0.04]], dtype=torch.float64)
    found = asymmetric_loss(probabilities.logit(), torch.tensor([[1, 0, 0]]))
    expected = -0.2 * math.log(0.8) - 0.25**2 * math.log(0.75)
    assert float(found) == pytest.approx(expected)


def test_asymmetric_loss_against_its_formula(logits: Tensor, labels: Tensor) -> None:
    for gamma_negative, gamma_positive, clip in ((2, 1, 0.05), (4, 0, 0.2), (1, 3, 0)):
        found = asymmetric_loss(logits, labels, gamma_negative, gamma_positive, clip)
        for row in range(len(logits)):
            expected = 0.0
            for z, label in zip(logits[row].tolist(), labels[row].tolist(), strict=True):
                p = 1 / (1 + math.exp(-z))
                q = max(p - clip, 0)
                if label == 1:
                    expected -= (1 - p) ** gamma_positive * math.log(p)
                if label == 0:
                    expected -= q**gamma_negative * math.log(1 - q)
            assert float(found[row]) == pytest.approx(expected)


@every_loss
def test_unknown_labels_have_neither_loss_nor_gradient(
    loss: Loss, logits: Tensor, labels: Tensor
) -> None:
    other = torch.where(labels < 0, 7 - logits, logits)
    assert torch.equal(loss(logits, labels), loss(other, labels))
    logits.requires_grad_()
    loss(logits, labels).sum().backward()
    assert logits.grad is not None
    assert (logits.grad[labels < 0] == 0).all()
    if loss in SUMS.values():
        assert (logits.grad[labels == 1] < 0).all()
    assert not loss(logits.detach(), torch.full_like(labels, -1)).any()


def test_softmax_loss_by_hand(logits: Tensor, labels: Tensor) -> None:
    found = softmax_loss(logits, labels)
    for row in range(len(logits)):
        known = {c: math.exp(float(logits[row, c])) for c in range(6) if labels[row, c] >= 0}
        there = [c for c in known if labels[row, c] == 1]
        shares = [-math.log(known[c] / sum(known.values())) for c in there]
        assert float(found[row]) == pytest.approx(sum(shares) / max(len(shares), 1))


def test_softmax_loss_of_one_label_is_cross_entropy_and_blind_to_a_shift(logits: Tensor) -> None:
    right = torch.tensor([2, 0, 5, 3])
    one = F.one_hot(right, 6)
    expected = F.cross_entropy(logits, right, reduction="none")
    torch.testing.assert_close(softmax_loss(logits, one), expected)
    torch.testing.assert_close(softmax_loss(logits - 7, one), expected)


@every_loss
def test_gradients(loss: Loss, logits: Tensor, labels: Tensor) -> None:
    assert torch.autograd.gradcheck(lambda x: loss(x, labels), logits.requires_grad_())


@every_loss
@pytest.mark.parametrize("size", [30.0, 200.0])
def test_far_logits_stay_finite(loss: Loss, size: float) -> None:
    """In single precision, where exp overflows at 89 and 1 - p is 0 from 17 on."""
    logits = torch.tensor([[size, -size, size, -size]], requires_grad=True)
    value = loss(logits, torch.tensor([[1, 0, 0, 1]]))
    value.sum().backward()
    assert logits.grad is not None
    assert value.isfinite().all()
    assert logits.grad.isfinite().all()
    assert logits.grad[0, 3] < 0, "a label that is missed by far still pulls"


def test_easy_negatives_weigh_less() -> None:
    labels = torch.tensor([[0]])
    easy, hard = torch.tensor([[-1.0]]), torch.tensor([[2.0]])
    plain = binary_cross_entropy(easy, labels) / binary_cross_entropy(hard, labels)
    focused = asymmetric_loss(easy, labels) / asymmetric_loss(hard, labels)
    assert float(focused) < float(plain) / 5


# --- divergence


def test_label_divergence_is_that_of_bernoullis(logits: Tensor) -> None:
    target = logits.flip(0)
    expected = kl_divergence(Bernoulli(logits=target), Bernoulli(logits=logits)).sum(dim=1)
    torch.testing.assert_close(label_divergence(target, logits), expected)


def test_label_divergence_of_equals_is_zero_and_its_gradient_too(logits: Tensor) -> None:
    logits.requires_grad_()
    value = label_divergence(logits.detach(), logits)
    value.sum().backward()
    assert logits.grad is not None
    assert not value.any()
    assert float(logits.grad.abs().max()) < 1e-15
    assert (label_divergence(logits + 0.3, logits) > 0).all()


def test_label_divergence_gradients(logits: Tensor) -> None:
    target = logits.flip(0).clone().requires_grad_()
    assert torch.autograd.gradcheck(label_divergence, (target, logits.requires_grad_()))


def test_label_divergence_of_opposites_stays_finite() -> None:
    logits = torch.tensor([[200.0, -200.0]], requires_grad=True)
    value = label_divergence(-logits.detach(), logits)
    value.sum().backward()
    assert logits.grad is not None
    assert value.item() == pytest.approx(400)
    assert logits.grad.isfinite().all()
