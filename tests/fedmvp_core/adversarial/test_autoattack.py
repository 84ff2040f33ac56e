"""The optional AutoAttack: what it refuses, and that it leaves nothing behind."""

import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch

from fedmvp_core.adversarial.autoattack import autoattack
from fedmvp_core.errors import AttackError


def test_says_how_to_install_it(
    problem: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyautoattack", None)
    case = problem(5)
    with pytest.raises(AttackError, match=r"pip install 'fedmvp\[attacks\]'"):
        autoattack(case.model, case.images, case.labels, 0.01)


def test_multi_label_problems_are_sent_to_the_ensemble(problem: Callable[..., Any]) -> None:
    case = problem(5, multi_label=True)
    with pytest.raises(AttackError, match=r"single-label problems only; use 'ensemble'"):
        autoattack(case.model, case.images, case.labels, 0.01)


@pytest.mark.parametrize("classes", [2, 3])
def test_few_classes_are_sent_to_the_ensemble(problem: Callable[..., Any], classes: int) -> None:
    pytest.importorskip("pyautoattack")
    case = problem(classes)
    with pytest.raises(AttackError, match=f"there are {classes}; use 'ensemble'"):
        autoattack(case.model, case.images, case.labels, 0.01)


def test_breaks_a_small_model_and_leaves_nothing_behind(problem: Callable[..., Any]) -> None:
    pytest.importorskip("pyautoattack")
    case = problem(4)
    case.model.requires_grad_(False)
    before, tracer = torch.get_rng_state(), sys.gettrace()
    found = autoattack(case.model, case.images, case.labels, 0.2)
    assert torch.equal(torch.get_rng_state(), before)
    assert sys.gettrace() is tracer
    assert not (case.model(found).argmax(dim=1) == case.labels).any()
    assert (found - case.images).abs().max() <= 0.2 + 1e-6
    assert torch.equal(found, autoattack(case.model, case.images, case.labels, 0.2))
