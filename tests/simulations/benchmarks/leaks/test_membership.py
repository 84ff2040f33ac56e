"""Attacks tell the members of a model that overfits, and guess where nothing is learned."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from fedmvp_core.prompting import FULL
from simulations.benchmarks.leaks.__main__ import LOCAL, MANY, NONE, ONE, SUM, views
from simulations.benchmarks.leaks.federation import open_federation
from simulations.benchmarks.leaks.membership import ATTACKS, confidences, leak

FEDERATIONS, PICTURES = 24, 30


def sure_and_members(steps: int) -> tuple[Tensor, Tensor]:
    """Softmax regression with more weights than pictures and labels at random."""
    draw = torch.Generator().manual_seed(0)
    inputs = torch.randn(PICTURES, 60, generator=draw)
    labels = torch.randint(0, 3, (PICTURES,), generator=draw)
    members = torch.rand(FEDERATIONS, PICTURES, generator=draw) < 0.5
    sure = []
    for own in members:
        weights = torch.zeros(60, 3, requires_grad=True)
        for _ in range(steps):
            loss = F.cross_entropy(inputs[own] @ weights, labels[own])
            (gradient,) = torch.autograd.grad(loss, weights)
            weights = (weights - 0.5 * gradient).detach().requires_grad_()
        # What a model says of a picture depends on other things too.
        noise = 0.1 * torch.randn(PICTURES, generator=draw)
        sure.append(confidences((inputs @ weights).detach(), labels) + noise)
    return torch.stack(sure), members


@pytest.mark.parametrize("attack", ATTACKS)
def test_members_of_an_overfit_model_are_found(attack: str) -> None:
    sure, members = sure_and_members(steps=30)
    found = leak(ATTACKS[attack](sure, members), members)
    assert found.auc > 0.9
    assert found.tpr > 0.3


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_model_that_saw_nobody_tells_nothing(attack: str) -> None:
    sure, members = sure_and_members(steps=0)
    found = leak(ATTACKS[attack](sure, members), members)
    assert found.auc == pytest.approx(0.5, abs=0.1)
    assert found.tpr < 0.1


def test_confidences_are_the_log_odds_of_the_label() -> None:
    logits = torch.tensor([[1.0, 2.0, 0.5], [3.0, -1.0, 0.0]])
    labels = torch.tensor([1, 2])
    chance = logits.double().softmax(dim=1)[torch.arange(2), labels]
    assert torch.allclose(confidences(logits, labels), (chance / (1 - chance)).log())


def test_perfect_and_useless_scores() -> None:
    members = torch.tensor([[True, False, True, False]])
    assert leak(members.double(), members).auc == 1
    assert leak(members.double(), members).tpr == 1
    assert leak(torch.zeros(1, 4), members).auc == 0.5
    assert leak(torch.zeros(1, 4), members).tpr == 0


def test_what_is_seen_of_a_federation() -> None:
    federation = open_federation("promptfl", FULL, 1)
    members = torch.arange(len(federation.pool)) < 6
    seen = views(federation, members, NONE, rounds=1, seed=0)
    assert [*seen] == [ONE, SUM, MANY]
    assert all(torch.equal(seen[SUM][name], seen[MANY][name]) for name in federation.start)
    (name,) = federation.prompting.phase_tensors(FULL)
    assert not torch.equal(seen[ONE][name], seen[SUM][name])
    noised = views(federation, members, LOCAL, rounds=1, seed=0)
    assert not torch.equal(seen[ONE][name], noised[ONE][name])
